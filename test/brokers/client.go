package brokers

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/go-stomp/stomp/v3/frame"
)

// Client is a plain STOMP connection for a test: it sends, drains and looks. It knows how each broker names queues.
// It is for one goroutine, and every call is bounded by its context.
type Client struct {
	broker *Broker
	conn   net.Conn
	r      *frame.Reader
	w      *bufio.Writer
	next   int // number of the next subscription or receipt
}

// Header is one STOMP header, not escaped.
type Header struct{ Name, Value string }

// Message is what [Client.Publish] sends and [Client.Take] returns.
type Message struct {
	Headers []Header
	Body    string
	// Bytes sends a content-length, which makes a BytesMessage.
	Bytes bool
}

// Header returns the value of the first header with this name.
func (m Message) Header(name string) string {
	for _, h := range m.Headers {
		if h.Name == name {
			return h.Value
		}
	}
	return ""
}

// Dial connects to the stomp or stomp+ssl connector.
func (b *Broker) Dial(ctx context.Context, scheme string, u User) (*Client, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", b.Addr(scheme))
	if err != nil {
		return nil, fmt.Errorf("dialling %s: %w", b.URL(scheme), err)
	}
	if secure(scheme) {
		conn = tls.Client(conn, b.certs.Client())
	}
	c := &Client{broker: b, conn: conn, r: frame.NewReader(conn), w: bufio.NewWriterSize(conn, 64<<10)}
	c.bound(ctx)
	// Heart-beats of a minute keep Artemis from cutting the line for a minute and a half, longer than any call here.
	c.write("CONNECT", "", []Header{{"accept-version", "1.2"}, {"host", "test"}, {"login", u.Name}, {"passcode", u.Password}, {"heart-beat", "60000,60000"}})
	if err := c.w.Flush(); err != nil {
		return nil, errors.Join(fmt.Errorf("writing CONNECT: %w", err), conn.Close())
	}
	f, err := c.read()
	if err == nil && f.Command != frame.CONNECTED {
		err = fmt.Errorf("%s %s", f.Command, f.Header.Get(frame.Message))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("waiting for CONNECTED: %w", err), conn.Close())
	}
	return c, nil
}

// Close drops the connection.
func (c *Client) Close() error { return c.conn.Close() }

// bound ends the connection's reads and writes with the context, a minute from now at the latest.
func (c *Client) bound(ctx context.Context) {
	limit := time.Now().Add(time.Minute)
	if d, ok := ctx.Deadline(); ok && d.Before(limit) {
		limit = d
	}
	_ = c.conn.SetDeadline(limit)
}

// escaper writes header values as STOMP 1.2 has it.
var escaper = strings.NewReplacer("\\", `\\`, ":", `\c`, "\n", `\n`, "\r", `\r`)

// write buffers a frame.
func (c *Client) write(command, body string, headers ...[]Header) {
	_, _ = c.w.WriteString(command)
	_ = c.w.WriteByte('\n')
	for _, list := range headers {
		for _, h := range list {
			_, _ = escaper.WriteString(c.w, h.Name)
			_ = c.w.WriteByte(':')
			_, _ = escaper.WriteString(c.w, h.Value)
			_ = c.w.WriteByte('\n')
		}
	}
	_ = c.w.WriteByte('\n')
	_, _ = c.w.WriteString(body)
	_ = c.w.WriteByte(0) // errors stick to the writer and show at the next Flush
}

// read returns the next frame that is no heart-beat.
func (c *Client) read() (*frame.Frame, error) {
	for {
		f, err := c.r.Read()
		if err != nil || f != nil {
			return f, err
		}
	}
}

// destination returns the headers that name a queue for SEND, and for SUBSCRIBE.
func (c *Client) destination(queue, typeHeader string) []Header {
	if c.broker.kind.Classic() {
		if strings.HasPrefix(queue, "/") {
			return []Header{{"destination", queue}}
		}
		return []Header{{"destination", "/queue/" + queue}}
	}
	return []Header{{"destination", queue}, {typeHeader, "ANYCAST"}}
}

// publishWindow is how many messages may wait for their receipts.
const publishWindow = 1000

// Publish sends count persistent messages and returns when the broker has confirmed each, or with the number of those
// that it had confirmed. confirmed may be nil; it is called for each message in turn, once the broker has it.
func (c *Client) Publish(ctx context.Context, queue string, count int, message func(i int) Message, confirmed func(i int)) (int, error) {
	tokens := make(chan struct{}, publishWindow)
	done := make(chan struct{})
	answered := 0 // owned by the reader until done is closed, like its error
	var readErr error
	go func() {
		defer close(done)
		for answered < count {
			if readErr = c.receipt(); readErr != nil {
				return
			}
			if confirmed != nil {
				confirmed(answered)
			}
			answered++
			<-tokens
		}
	}()
	err := c.publishAll(ctx, queue, count, message, tokens, done)
	if err != nil {
		_ = c.conn.Close() // ends the reader
	}
	<-done
	return answered, cmp.Or(readErr, err)
}

// receipt waits for the next RECEIPT.
func (c *Client) receipt() error {
	for {
		f, err := c.read()
		if err != nil {
			return fmt.Errorf("waiting for a receipt: %w", err)
		}
		switch f.Command {
		case frame.RECEIPT:
			return nil
		case frame.ERROR:
			return fmt.Errorf("the broker answered ERROR %s: %s", f.Header.Get(frame.Message), f.Body)
		}
	}
}

// publishAll sends while the window has room, and returns when the reader is done, well or not.
func (c *Client) publishAll(ctx context.Context, queue string, count int, message func(i int) Message, tokens chan<- struct{}, done <-chan struct{}) error {
	dest := c.destination(queue, "destination-type")
	for i := range count {
		select {
		case tokens <- struct{}{}:
		default: // the window is full: what is buffered must go out before waiting
			if err := c.w.Flush(); err != nil {
				return fmt.Errorf("sending: %w", err)
			}
			select {
			case tokens <- struct{}{}:
			case <-done:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if i%publishWindow == 0 {
			c.bound(ctx)
		}
		m := message(i)
		own := []Header{{"persistent", "true"}, {"receipt", strconv.Itoa(i)}}
		if m.Bytes {
			own = append(own, Header{"content-length", strconv.Itoa(len(m.Body))})
		}
		c.write(frame.SEND, m.Body, dest, own, m.Headers)
	}
	if err := c.w.Flush(); err != nil {
		return fmt.Errorf("sending: %w", err)
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Take consumes messages of a queue until it has n or nothing more came for the quiet time, and settles them.
func (c *Client) Take(ctx context.Context, queue string, n int, quiet time.Duration) ([]Message, error) {
	c.bound(ctx)
	c.next++
	id := "take-" + strconv.Itoa(c.next)
	c.write(frame.SUBSCRIBE, "", c.destination(queue, "subscription-type"), []Header{{"id", id}, {"ack", "client-individual"}})
	if err := c.w.Flush(); err != nil {
		return nil, fmt.Errorf("subscribing: %w", err)
	}
	var got []Message
	for len(got) < n {
		c.bound(ctx)
		_ = c.conn.SetReadDeadline(time.Now().Add(quiet))
		f, err := c.read()
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			break
		}
		if err != nil {
			return got, fmt.Errorf("receiving: %w", err)
		}
		if f.Command == frame.ERROR {
			return got, fmt.Errorf("the broker answered ERROR %s: %s", f.Header.Get(frame.Message), f.Body)
		}
		if f.Command != frame.MESSAGE {
			continue
		}
		m := Message{Body: string(f.Body), Bytes: f.Header.Get("content-length") != ""}
		for i := range f.Header.Len() {
			k, v := f.Header.GetAt(i)
			m.Headers = append(m.Headers, Header{k, v})
		}
		got = append(got, m)
		c.write(frame.ACK, "", []Header{{"id", f.Header.Get("ack")}})
		if err := c.w.Flush(); err != nil {
			return got, fmt.Errorf("settling: %w", err)
		}
	}
	return got, c.unsubscribe(ctx, id)
}

// unsubscribe ends a subscription and waits for the receipt, so that every ACK before it has been worked off.
func (c *Client) unsubscribe(ctx context.Context, id string) error {
	c.bound(ctx)
	c.write(frame.UNSUBSCRIBE, "", []Header{{"id", id}, {"receipt", id}})
	if err := c.w.Flush(); err != nil {
		return fmt.Errorf("unsubscribing: %w", err)
	}
	for {
		f, err := c.read()
		if err != nil {
			return fmt.Errorf("waiting for the end of the subscription: %w", err)
		}
		if f.Command == frame.RECEIPT && f.Header.Get(frame.ReceiptId) == id {
			return nil
		}
		if f.Command == frame.ERROR {
			return fmt.Errorf("the broker answered ERROR %s: %s", f.Header.Get(frame.Message), f.Body)
		}
	}
}

// request sends questions (each the headers of a SEND) with a reply-to and returns the first answer.
func (c *Client) request(ctx context.Context, reply string, subscribe []Header, questions ...[]Header) (*frame.Frame, error) {
	c.bound(ctx)
	c.next++
	id := "request-" + strconv.Itoa(c.next)
	c.write(frame.SUBSCRIBE, "", c.destination(reply, "subscription-type"), []Header{{"id", id}, {"ack", "auto"}}, subscribe)
	replyTo := reply
	if !c.broker.kind.Classic() {
		replyTo = "queue://" + reply
	}
	for _, q := range questions {
		c.write(frame.SEND, "", q, []Header{{"reply-to", replyTo}})
	}
	if err := c.w.Flush(); err != nil {
		return nil, fmt.Errorf("asking: %w", err)
	}
	for {
		f, err := c.read()
		if err != nil {
			return nil, fmt.Errorf("waiting for the answer: %w", err)
		}
		switch f.Command {
		case frame.MESSAGE:
			return f, c.unsubscribe(ctx, id)
		case frame.ERROR:
			return nil, fmt.Errorf("the broker answered ERROR %s: %s", f.Header.Get(frame.Message), f.Body)
		}
	}
}

var _ io.Closer = (*Client)(nil)
