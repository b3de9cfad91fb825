import jakarta.jms.BytesMessage;
import jakarta.jms.Connection;
import jakarta.jms.ConnectionFactory;
import jakarta.jms.DeliveryMode;
import jakarta.jms.Destination;
import jakarta.jms.JMSException;
import jakarta.jms.MapMessage;
import jakarta.jms.Message;
import jakarta.jms.MessageConsumer;
import jakarta.jms.MessageEOFException;
import jakarta.jms.MessageProducer;
import jakarta.jms.ObjectMessage;
import jakarta.jms.Session;
import jakarta.jms.StreamMessage;
import jakarta.jms.TextMessage;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.ObjectOutputStream;
import java.io.Serializable;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Enumeration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Sends or receives JMS messages for the tests, with any JMS client:
 *
 * <pre>
 *   Tool send    FACTORY URL USER PASSWORD QUEUE          messages on standard input, ids on standard output
 *   Tool receive FACTORY URL USER PASSWORD QUEUE N MS     up to N messages as JSON lines; ends after MS of silence
 *   Tool durable FACTORY URL USER PASSWORD TOPIC N MS CLIENT NAME    the same from a durable subscription
 *   Tool unsubscribe FACTORY URL USER PASSWORD TOPIC CLIENT NAME     deletes that
 *   Tool request FACTORY URL USER PASSWORD QUEUE REPLY MS  a message on standard input; its id, and one answer within MS
 *   Tool exchange FACTORY URL USER PASSWORD QUEUE REPLY,… MS THREADS    each message on standard input is a request
 *   Tool serve FACTORY URL USER PASSWORD QUEUE THREADS    answers requests as a JMS service does, see below
 * </pre>
 *
 * QUEUE may be topic:NAME in send and request. REPLY is queue:NAME, topic:NAME, temp-queue: or temp-topic:. A message on standard input is some lines and a line "send". Texts are base64 of UTF-8:
 *
 * <pre>
 *   message text|bytes|map|stream|object|none    header NAME TEXT    property TYPE NAME VALUE    value TYPE NAME VALUE
 * </pre>
 *
 * In an exchange the threads share one connection, take the REPLYs in turn and send one request after the other, each
 * when the one before is answered or MS have passed. With a temp-queue: a thread has one such queue for all of its requests; with
 * queue:NAME each request has a consumer with a selector on its JMSCorrelationID (or, where it has none, its JMSMessageID).
 * A line of JSON tells what came of each request, the one with "request":-1 what else was in a temporary queue.
 *
 * A service has one session a thread. It prints each request as JSON when it has it, waits for a line on standard input, which
 * is one for all requests, and answers to JMSReplyTo with the request's JMSCorrelationID and "answer to " its text. It ends
 * when standard input does.
 *
 * The file is compiled as it stands for jakarta.jms, and with the package name changed for javax.jms.
 */
public class Tool {
  public static void main(String[] args) throws Exception {
    ConnectionFactory factory =
        (ConnectionFactory) Class.forName(args[1]).getConstructor(String.class).newInstance(args[2]);
    try (Connection connection = factory.createConnection(args[3], args[4])) {
      if (args[0].equals("durable") || args[0].equals("unsubscribe")) {
        connection.setClientID(args[args.length - 2]); // before anything else is done with the connection
      }
      Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
      switch (args[0]) {
        case "send":
          send(session, destination(session, args[5]), null, standardInput(), Tool::printId);
          break;
        case "request":
          Destination reply = destination(session, args[6]);
          MessageConsumer answers = session.createConsumer(reply);
          connection.start();
          send(session, destination(session, args[5]), reply, standardInput(), Tool::printId);
          receive(answers, 1, Long.parseLong(args[7]));
          break;
        case "exchange":
          connection.start();
          exchange(connection, args[5], args[6].split(","), Long.parseLong(args[7]), Integer.parseInt(args[8]));
          break;
        case "serve":
          serve(connection, args[5], Integer.parseInt(args[6]));
          break;
        case "durable":
          connection.start();
          MessageConsumer durable = session.createDurableSubscriber(session.createTopic(args[5]), args[9]);
          receive(durable, Integer.parseInt(args[6]), Long.parseLong(args[7]));
          break;
        case "unsubscribe":
          session.unsubscribe(args[7]);
          break;
        default:
          connection.start();
          receive(session.createConsumer(session.createQueue(args[5])), Integer.parseInt(args[6]), Long.parseLong(args[7]));
      }
    }
    System.exit(0); // some clients leave threads behind
  }

  static Destination destination(Session session, String name) throws JMSException {
    if (name.startsWith("temp-queue:")) return session.createTemporaryQueue();
    if (name.startsWith("temp-topic:")) return session.createTemporaryTopic();
    if (name.startsWith("topic:")) return session.createTopic(name.substring(6));
    return session.createQueue(name.startsWith("queue:") ? name.substring(6) : name);
  }

  static BufferedReader standardInput() {
    return new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
  }

  /** What is done with a message that was sent. */
  interface Sent {
    void message(Message m) throws Exception;
  }

  static void printId(Message m) throws JMSException {
    System.out.println(m.getJMSMessageID() == null ? "" : m.getJMSMessageID());
  }

  static void exchange(Connection connection, String queue, String[] replies, long patience, int threads) throws Exception {
    List<String> requests = new ArrayList<>();
    StringBuilder lines = new StringBuilder();
    BufferedReader in = standardInput();
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      lines.append(line).append('\n');
      if (line.equals("send")) {
        requests.add(lines.toString());
        lines.setLength(0);
      }
    }
    AtomicInteger next = new AtomicInteger();
    Thread[] all = new Thread[threads];
    for (int i = 0; i < threads; i++) {
      String reply = replies[i % replies.length];
      all[i] = new Thread(() -> {
        int n = -1;
        try (Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE)) {
          Destination answers = destination(session, reply);
          MessageConsumer own = reply.startsWith("temp-") ? session.createConsumer(answers) : null;
          MessageProducer producer = session.createProducer(destination(session, queue));
          for (n = next.getAndIncrement(); n < requests.size(); n = next.getAndIncrement()) {
            ask(session, producer, answers, own, n, requests.get(n), patience);
          }
          n = -1;
          if (own != null) {
            StringBuilder rest = new StringBuilder();
            for (Message m = own.receive(200); m != null; m = own.receive(200)) {
              rest.append(rest.length() == 0 ? "" : ",").append(json(m));
            }
            if (rest.length() > 0) print("{\"request\":-1,\"answers\":[" + rest + "]}");
          }
        } catch (Exception e) {
          print("{\"request\":" + n + ",\"error\":" + quote(e.toString()) + "}");
        }
      });
      all[i].start();
    }
    for (Thread t : all) t.join();
  }

  static void ask(Session session, MessageProducer producer, Destination reply, MessageConsumer own, int n, String lines, long patience)
      throws Exception {
    long start = System.nanoTime();
    String[] ids = new String[2]; // JMSMessageID and what the answer is correlated by
    MessageConsumer[] consumer = {own};
    send(session, producer, reply, new BufferedReader(new StringReader(lines)), m -> {
      ids[0] = m.getJMSMessageID();
      ids[1] = m.getJMSCorrelationID() == null ? ids[0] : m.getJMSCorrelationID();
    });
    if (own == null) {
      consumer[0] = session.createConsumer(reply, "JMSCorrelationID = '" + ids[1] + "'");
    }
    StringBuilder answers = new StringBuilder();
    for (long end = start + patience * 1000000; ; ) {
      Message m = consumer[0].receive(Math.max(1, (end - System.nanoTime()) / 1000000));
      if (m == null) break;
      answers.append(answers.length() == 0 ? "" : ",").append(json(m)); // a foreign one too: the test has to see it
      if (ids[1].equals(m.getJMSCorrelationID())) break;
    }
    if (own == null) consumer[0].close();
    print("{\"request\":" + n + ",\"id\":" + quote(ids[0]) + ",\"millis\":" + (System.nanoTime() - start) / 1000000 + ",\"answers\":[" + answers + "]}");
  }

  static void serve(Connection connection, String queue, int threads) throws Exception {
    CountDownLatch released = new CountDownLatch(1);
    for (int i = 0; i < threads; i++) {
      Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
      MessageProducer producer = session.createProducer(null);
      session.createConsumer(session.createQueue(queue)).setMessageListener(m -> {
        try {
          print(json(m));
          released.await();
          TextMessage answer = session.createTextMessage("answer to " + ((TextMessage) m).getText());
          answer.setJMSCorrelationID(m.getJMSCorrelationID());
          if (m.getJMSReplyTo() != null) producer.send(m.getJMSReplyTo(), answer);
        } catch (Exception e) {
          System.err.println(e); // the request is not answered, and the test sees that
        }
      });
    }
    connection.start();
    BufferedReader in = standardInput();
    for (String line = in.readLine(); line != null; line = in.readLine()) released.countDown();
  }

  static synchronized void print(String line) {
    byte[] raw = (line + "\n").getBytes(StandardCharsets.UTF_8);
    System.out.write(raw, 0, raw.length);
    System.out.flush();
  }

  static void send(Session session, Destination queue, Destination reply, BufferedReader in, Sent sent) throws Exception {
    send(session, session.createProducer(queue), reply, in, sent);
  }

  static void send(Session session, MessageProducer producer, Destination reply, BufferedReader in, Sent sent) throws Exception {
    Message m = null;
    int mode = DeliveryMode.PERSISTENT;
    int priority = 4;
    long ttl = 0;
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      String[] f = line.split(" ", -1);
      switch (f[0]) {
        case "message":
          m = create(session, f[1]);
          if (reply != null) m.setJMSReplyTo(reply);
          mode = DeliveryMode.PERSISTENT;
          priority = 4;
          ttl = 0;
          break;
        case "header":
          String value = text(f[2]);
          switch (f[1]) {
            case "correlation-id": m.setJMSCorrelationID(value); break;
            case "type": m.setJMSType(value); break;
            case "reply-to": m.setJMSReplyTo(session.createQueue(value)); break;
            case "group": m.setStringProperty("JMSXGroupID", value); break;
            case "group-seq": m.setIntProperty("JMSXGroupSeq", Integer.parseInt(value)); break;
            case "priority": priority = Integer.parseInt(value); break;
            case "ttl": ttl = Long.parseLong(value); break;
            case "non-persistent": mode = DeliveryMode.NON_PERSISTENT; break;
            default: throw new IllegalArgumentException(line);
          }
          break;
        case "property": property(m, f[1], text(f[2]), f[3]); break;
        case "value": body(m, f[1], text(f[2]), f[3]); break;
        case "send":
          producer.send(m, mode, priority, ttl);
          sent.message(m);
          break;
        default: throw new IllegalArgumentException(line);
      }
    }
  }

  static Message create(Session session, String kind) throws JMSException {
    switch (kind) {
      case "text": return session.createTextMessage();
      case "bytes": return session.createBytesMessage();
      case "map": return session.createMapMessage();
      case "stream": return session.createStreamMessage();
      case "object": return session.createObjectMessage();
      case "none": return session.createMessage();
      default: throw new IllegalArgumentException(kind);
    }
  }

  static String text(String base64) {
    return new String(Base64.getDecoder().decode(base64), StandardCharsets.UTF_8);
  }

  static Object decode(String type, String value) {
    switch (type) {
      case "null": return null;
      case "boolean": return Boolean.valueOf(value);
      case "byte": return Byte.valueOf(value);
      case "short": return Short.valueOf(value);
      case "int": return Integer.valueOf(value);
      case "long": return Long.valueOf(value);
      case "float": return Float.valueOf(value);
      case "double": return Double.valueOf(value);
      case "char": return (char) Integer.parseInt(value);
      case "string": return text(value);
      case "bytes": return Base64.getDecoder().decode(value);
      default: throw new IllegalArgumentException(type);
    }
  }

  static void property(Message m, String type, String name, String value) throws JMSException {
    m.setObjectProperty(name, decode(type, value));
  }

  static void body(Message m, String type, String name, String value) throws JMSException {
    Object v = decode(type, value);
    if (m instanceof TextMessage) {
      ((TextMessage) m).setText((String) v);
    } else if (m instanceof BytesMessage) {
      ((BytesMessage) m).writeBytes((byte[]) v);
    } else if (m instanceof MapMessage) {
      ((MapMessage) m).setObject(name, v);
    } else if (m instanceof StreamMessage) {
      ((StreamMessage) m).writeObject(v);
    } else {
      ((ObjectMessage) m).setObject((Serializable) v);
    }
  }

  static void receive(MessageConsumer consumer, int n, long silence) throws Exception {
    for (int i = 0; i < n; i++) {
      Message m = consumer.receive(silence);
      if (m == null) {
        return;
      }
      print(json(m));
    }
  }

  static String json(Message m) throws Exception {
    StringBuilder b = new StringBuilder("{");
    field(b, "id", m.getJMSMessageID());
    field(b, "correlation_id", m.getJMSCorrelationID());
    field(b, "type", m.getJMSType());
    field(b, "reply_to", m.getJMSReplyTo() == null ? null : m.getJMSReplyTo().toString());
    b.append("\"priority\":").append(m.getJMSPriority()).append(",\"timestamp\":").append(m.getJMSTimestamp());
    b.append(",\"expiration\":").append(m.getJMSExpiration());
    b.append(",\"persistent\":").append(m.getJMSDeliveryMode() == DeliveryMode.PERSISTENT);
    b.append(",\"redelivered\":").append(m.getJMSRedelivered());
    b.append(",\"fault\":").append(m.getBooleanProperty("JMSBridgeFault")).append(",\"properties\":[");
    String comma = "";
    for (Enumeration<?> e = m.getPropertyNames(); e.hasMoreElements(); ) {
      String name = (String) e.nextElement();
      b.append(comma);
      value(b, name, m.getObjectProperty(name));
      comma = ",";
    }
    b.append("],\"kind\":\"").append(kind(m)).append("\",\"body\":[");
    values(b, m);
    return b.append("]}").toString();
  }

  static String kind(Message m) {
    if (m instanceof TextMessage) return "text";
    if (m instanceof BytesMessage) return "bytes";
    if (m instanceof MapMessage) return "map";
    if (m instanceof StreamMessage) return "stream";
    if (m instanceof ObjectMessage) return "object";
    return "none";
  }

  static void values(StringBuilder b, Message m) throws Exception {
    if (m instanceof TextMessage) {
      value(b, "", ((TextMessage) m).getText());
    } else if (m instanceof BytesMessage) {
      byte[] raw = new byte[(int) ((BytesMessage) m).getBodyLength()];
      ((BytesMessage) m).readBytes(raw);
      value(b, "", raw);
    } else if (m instanceof MapMessage) {
      String comma = "";
      for (Enumeration<?> e = ((MapMessage) m).getMapNames(); e.hasMoreElements(); comma = ",") {
        String name = (String) e.nextElement();
        b.append(comma);
        value(b, name, ((MapMessage) m).getObject(name));
      }
    } else if (m instanceof StreamMessage) {
      for (String comma = ""; ; comma = ",") {
        Object v;
        try {
          v = ((StreamMessage) m).readObject();
        } catch (MessageEOFException end) {
          return;
        }
        b.append(comma);
        value(b, "", v);
      }
    } else if (m instanceof ObjectMessage) {
      ByteArrayOutputStream raw = new ByteArrayOutputStream();
      new ObjectOutputStream(raw).writeObject(((ObjectMessage) m).getObject());
      value(b, "", raw.toByteArray());
    }
  }

  static void value(StringBuilder b, String name, Object v) {
    b.append("{\"name\":").append(quote(name)).append(",\"type\":\"");
    if (v == null) b.append("null\",\"value\":\"");
    else if (v instanceof Character) b.append("char\",\"value\":\"").append((int) (Character) v);
    else if (v instanceof byte[]) b.append("bytes\",\"value\":\"").append(Base64.getEncoder().encodeToString((byte[]) v));
    else if (v instanceof String) b.append("string\",\"value\":\"").append(Base64.getEncoder().encodeToString(((String) v).getBytes(StandardCharsets.UTF_8)));
    else if (v instanceof Integer) b.append("int\",\"value\":\"").append(v);
    else b.append(v.getClass().getSimpleName().toLowerCase()).append("\",\"value\":\"").append(v);
    b.append("\"}");
  }

  static void field(StringBuilder b, String name, String v) {
    if (v != null) {
      b.append('"').append(name).append("\":").append(quote(v)).append(',');
    }
  }

  static String quote(String s) {
    StringBuilder b = new StringBuilder("\"");
    for (char c : s.toCharArray()) {
      if (c < 0x20 || c == '"' || c == '\\' || c > 0x7e) {
        b.append(String.format("\\u%04x", (int) c));
      } else {
        b.append(c);
      }
    }
    return b.append('"').toString();
  }
}
