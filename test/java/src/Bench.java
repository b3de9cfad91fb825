import jakarta.jms.Connection;
import jakarta.jms.ConnectionFactory;
import jakarta.jms.DeliveryMode;
import jakarta.jms.Destination;
import jakarta.jms.JMSException;
import jakarta.jms.Message;
import jakarta.jms.MessageProducer;
import jakarta.jms.Session;
import jakarta.jms.TemporaryQueue;
import jakarta.jms.TextMessage;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.locks.LockSupport;

/**
 * Asks and answers for the benchmarks, with any JMS client:
 *
 * <pre>
 *   Bench respond FACTORY URL USER PASSWORD QUEUE SESSIONS ANSWER    answers each request with that text, until standard input ends
 *   Bench request FACTORY URL USER PASSWORD                          commands on standard input: QUEUE RATE WARMUP REQUESTS MS
 * </pre>
 *
 * A command sends WARMUP requests and then REQUESTS more, RATE a second, at times that are set before the first is sent:
 * one that is sent late, because the ones before it took their time, is measured from when it should have been. It prints
 * "measuring" when the warming up is over, "measured" when all answers are there or MS have passed since the last request,
 * then "result ANSWERED MICROSECONDS TWICE FOREIGN", a line "LATENCY DELAY" for each request, both in microseconds from
 * when it should have been sent, to its answer (-1: none) and to when it was sent, and "end".
 *
 * The file is compiled as it stands for jakarta.jms, and with the package name changed for javax.jms.
 */
public class Bench {
  public static void main(String[] args) throws Exception {
    ConnectionFactory factory =
        (ConnectionFactory) Class.forName(args[1]).getConstructor(String.class).newInstance(args[2]);
    try (Connection connection = factory.createConnection(args[3], args[4])) {
      BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
      if (args[0].equals("respond")) {
        for (int i = 0; i < Integer.parseInt(args[6]); i++) {
          respond(connection.createSession(false, Session.AUTO_ACKNOWLEDGE), args[5], args[7]);
        }
        connection.start();
        System.out.println("ready");
        while (in.readLine() != null) {}
      } else {
        request(connection, in);
      }
    }
    System.exit(0); // some clients leave threads behind
  }

  static void respond(Session session, String queue, String answer) throws JMSException {
    MessageProducer producer = session.createProducer(null);
    session.createConsumer(session.createQueue(queue)).setMessageListener(m -> {
      try {
        Message reply = session.createTextMessage(answer);
        String id = m.getJMSCorrelationID();
        reply.setJMSCorrelationID(id != null ? id : m.getJMSMessageID());
        producer.send(m.getJMSReplyTo(), reply, m.getJMSDeliveryMode(), m.getJMSPriority(), 0);
      } catch (JMSException e) {
        System.err.println("answering: " + e);
      }
    });
  }

  /** One command at work. */
  static class Run {
    final String prefix;
    final long begin;
    final long rate;
    final long[] sent;
    final AtomicLongArray received;
    final CountDownLatch open;
    volatile long twice;
    volatile long foreign;

    Run(int number, long rate, int requests) {
      prefix = "bench-" + number + "-";
      this.rate = rate;
      begin = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(100);
      sent = new long[requests];
      received = new AtomicLongArray(requests);
      open = new CountDownLatch(requests);
    }

    /** When request i is to be sent. */
    long due(int i) {
      return begin + (long) (i * (1e9 / rate));
    }

    /** Takes an answer; only the listener's thread calls it. */
    void answered(Message m) {
      long now = System.nanoTime();
      try {
        String id = m.getJMSCorrelationID();
        if (id == null || !id.startsWith(prefix)) {
          foreign++;
        } else if (received.compareAndSet(Integer.parseInt(id.substring(prefix.length())), 0, now)) {
          open.countDown();
        } else {
          twice++;
        }
      } catch (JMSException e) {
        System.err.println("reading an answer: " + e);
      }
    }
  }

  static volatile Run run;

  static void request(Connection connection, BufferedReader in) throws Exception {
    Session listening = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
    TemporaryQueue answers = listening.createTemporaryQueue();
    listening.createConsumer(answers).setMessageListener(m -> {
      Run r = run;
      if (r != null) {
        r.answered(m);
      }
    });
    Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
    connection.start();
    PrintStream out = new PrintStream(System.out, false, "UTF-8");
    out.println("ready");
    out.flush();
    int number = 0;
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      String[] f = line.split(" ");
      int warmUp = Integer.parseInt(f[2]);
      int requests = warmUp + Integer.parseInt(f[3]);
      long patience = Long.parseLong(f[4]);
      MessageProducer producer = session.createProducer(session.createQueue(f[0]));
      Run r = new Run(++number, Long.parseLong(f[1]), requests);
      run = r;
      for (int i = 0; i < requests; i++) {
        for (long wait = r.due(i) - System.nanoTime(); wait > 0; wait = r.due(i) - System.nanoTime()) {
          LockSupport.parkNanos(wait);
        }
        if (i == warmUp) {
          out.println("measuring");
          out.flush();
        }
        Message m = message(session, i, answers);
        m.setJMSCorrelationID(r.prefix + i);
        r.sent[i] = System.nanoTime();
        producer.send(m, DeliveryMode.NON_PERSISTENT, 4, patience);
      }
      r.open.await(patience, TimeUnit.MILLISECONDS);
      out.println("measured");
      out.flush();
      producer.close();
      print(out, r, warmUp);
    }
  }

  static final String PADDING = "0123456789abcdef".repeat(64); // 1 KiB

  static Message message(Session session, int i, Destination answers) throws JMSException {
    String head = String.format("%010d ", i);
    TextMessage m = session.createTextMessage(head + PADDING.substring(head.length()));
    m.setStringProperty("account", "account-" + i % 1000);
    m.setStringProperty("region", "eu-west-1");
    m.setStringProperty("amount", String.valueOf(i * 7));
    m.setStringProperty("currency", "EUR");
    m.setStringProperty("kind", "order");
    m.setJMSReplyTo(answers);
    return m;
  }

  static void print(PrintStream out, Run r, int warmUp) {
    StringBuilder lines = new StringBuilder();
    long last = r.due(warmUp);
    int answered = 0;
    for (int i = warmUp; i < r.sent.length; i++) {
      long received = r.received.get(i);
      long latency = -1;
      if (received != 0) {
        answered++;
        last = Math.max(last, received);
        latency = (received - r.due(i)) / 1000;
      }
      lines.append(latency).append(' ').append((r.sent[i] - r.due(i)) / 1000).append('\n');
    }
    out.println("result " + answered + " " + (last - r.due(warmUp)) / 1000 + " " + r.twice + " " + r.foreign);
    out.print(lines);
    out.println("end");
    out.flush();
  }
}
