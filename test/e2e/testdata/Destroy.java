import com.sun.tools.attach.VirtualMachine;
import javax.management.ObjectName;
import javax.management.remote.JMXConnector;
import javax.management.remote.JMXConnectorFactory;
import javax.management.remote.JMXServiceURL;

/** Deletes a durable subscription over JMX, as a console does: Destroy PID BROKER CLIENT NAME. */
public class Destroy {
  public static void main(String[] args) throws Exception {
    VirtualMachine broker = VirtualMachine.attach(args[0]);
    try (JMXConnector connector = JMXConnectorFactory.connect(new JMXServiceURL(broker.startLocalManagementAgent()))) {
      connector.getMBeanServerConnection().invoke(
          new ObjectName("org.apache.activemq:type=Broker,brokerName=" + args[1]),
          "destroyDurableSubscriber",
          new Object[] {args[2], args[3]},
          new String[] {"java.lang.String", "java.lang.String"});
    }
  }
}
