package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/envelope"
)

// maxInput is the largest body, or line of an envelope, that send reads.
const maxInput = 100 << 20

// messageFlags say what is sent.
type messageFlags struct {
	file, bodyType                       string
	envelope, nonPersistent              bool
	correlation, jmsType, replyTo, group string
	groupSeq                             int32
	priority                             int
	expiresIn                            time.Duration
	properties                           []string
}

func (f *messageFlags) register(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVarP(&f.file, "file", "f", "", "the file that holds the body (or the envelopes); \"-\": standard input")
	flags.BoolVar(&f.envelope, "envelope", false, "the input holds one JSON envelope a line")
	flags.StringVar(&f.bodyType, "body-type", "text", "text, bytes or none")
	flags.StringVar(&f.correlation, "correlation-id", "", "JMSCorrelationID")
	flags.StringVarP(&f.jmsType, "type", "t", "", "JMSType")
	flags.StringVar(&f.replyTo, "reply-to", "", "JMSReplyTo: queue:NAME or topic:NAME")
	flags.StringVar(&f.group, "group", "", "JMSXGroupID")
	flags.Int32Var(&f.groupSeq, "group-seq", 0, "JMSXGroupSeq")
	flags.IntVar(&f.priority, "priority", bridge.DefaultPriority, "JMSPriority, 0 to 9")
	flags.DurationVar(&f.expiresIn, "expires-in", 0, "time to live; 0: for ever")
	flags.BoolVar(&f.nonPersistent, "non-persistent", false, "don't ask the broker to store it on its disk")
	flags.StringArrayVarP(&f.properties, "property", "p", nil,
		"NAME=VALUE, a String, or NAME:TYPE=VALUE with boolean, byte, short, int, long, float, double or string; may be repeated")
	for _, name := range []string{ // which an envelope has in itself
		"body-type", "correlation-id", "type", "reply-to", "group", "group-seq", "priority", "expires-in", "non-persistent", "property",
	} {
		c.MarkFlagsMutuallyExclusive("envelope", name)
	}
}

// input is where the messages come from: next returns one after the other, then io.EOF.
type input struct {
	next  func() (*bridge.Message, error)
	close func()
}

// open opens the input and reads the body. Its reads end with ctx.
func (f *messageFlags) open(ctx context.Context, body []string, in io.Reader, count int) (*input, error) {
	m, err := f.message()
	if err != nil {
		return nil, usage(err)
	}
	if len(body) > 0 && f.file != "" {
		return nil, usage(errors.New("the body is either an argument or --file"))
	}
	if f.bodyType == "none" && (len(body) > 0 || f.file != "") {
		return nil, usage(errors.New("--body-type none has no body"))
	}
	closeInput := func() {}
	switch {
	case len(body) > 0:
		in = strings.NewReader(body[0])
	case f.file != "" && f.file != "-":
		file, err := os.Open(f.file)
		if err != nil {
			return nil, usage(fmt.Errorf("opening the body: %w", err))
		}
		in, closeInput = file, func() { _ = file.Close() }
	}
	in = &ctxReader{ctx: ctx, from: in}
	if f.envelope {
		return &input{next: envelopes(in), close: closeInput}, nil
	}
	if f.bodyType != "none" {
		if m.Body, err = f.readBody(in); err != nil {
			closeInput()
			return nil, err
		}
	}
	return &input{next: f.repeat(m, count), close: closeInput}, nil
}

// repeat returns m so many times.
func (f *messageFlags) repeat(m *bridge.Message, count int) func() (*bridge.Message, error) {
	return func() (*bridge.Message, error) {
		if count == 0 {
			return nil, io.EOF
		}
		count--
		if f.expiresIn == 0 {
			return m, nil
		}
		one := *m
		one.Expiration = time.Now().Add(f.expiresIn)
		return &one, nil
	}
}

// message returns the message without its body. An error is wrong usage.
func (f *messageFlags) message() (*bridge.Message, error) {
	m := &bridge.Message{
		CorrelationID: f.correlation, Type: f.jmsType, GroupID: f.group, GroupSeq: f.groupSeq,
		Persistent: !f.nonPersistent,
	}
	if f.priority < 0 || f.priority > 9 {
		return nil, errors.New("--priority must be 0 to 9")
	}
	m.Priority = uint8(f.priority)
	if f.expiresIn < 0 {
		return nil, errors.New("--expires-in must not be negative")
	}
	if f.groupSeq != 0 && f.group == "" {
		return nil, errors.New("--group-seq needs --group")
	}
	if f.replyTo != "" {
		d, err := parseDestination(f.replyTo)
		if err != nil {
			return nil, fmt.Errorf("reading --reply-to: %w", err)
		}
		m.ReplyTo = d
	}
	switch f.bodyType {
	case "text", "bytes", "none":
	default:
		return nil, fmt.Errorf("--body-type %q is not text, bytes or none", f.bodyType)
	}
	for _, text := range f.properties {
		name, v, err := parseProperty(text)
		if err != nil {
			return nil, fmt.Errorf("reading --property %q: %w", text, err)
		}
		if _, twice := m.Properties.Lookup(name); twice {
			return nil, fmt.Errorf("the property %q is given twice", name)
		}
		m.Properties = m.Properties.With(name, v)
	}
	return m, nil
}

func (f *messageFlags) readBody(in io.Reader) (bridge.Body, error) {
	data, err := io.ReadAll(io.LimitReader(in, maxInput+1))
	switch {
	case err != nil:
		return bridge.Body{}, failed(fmt.Errorf("reading the body: %w", err))
	case len(data) > maxInput:
		return bridge.Body{}, usage(fmt.Errorf("the body has more than %d bytes", maxInput))
	case f.bodyType == "bytes":
		return bridge.NewBytes(string(data)), nil
	case !utf8.Valid(data):
		return bridge.Body{}, usage(errors.New("the body is not UTF-8: send it with --body-type bytes"))
	default:
		return bridge.NewText(string(data)), nil
	}
}

// envelopes reads one envelope a line; empty lines are skipped.
func envelopes(in io.Reader) func() (*bridge.Message, error) {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxInput)
	n := 0
	return func() (*bridge.Message, error) {
		for lines.Scan() {
			n++
			line := bytes.TrimSpace(lines.Bytes())
			if len(line) == 0 {
				continue
			}
			m, err := envelope.Parse(line)
			if err != nil {
				return nil, fmt.Errorf("reading line %d: %w", n, err)
			}
			return m, nil
		}
		if err := lines.Err(); err != nil {
			return nil, fmt.Errorf("reading line %d: %w", n+1, err)
		}
		return nil, io.EOF
	}
}

// parseProperty reads NAME=VALUE or NAME:TYPE=VALUE.
func parseProperty(text string) (name string, v bridge.Value, err error) {
	name, value, ok := strings.Cut(text, "=")
	typ := "string"
	if at := strings.LastIndexByte(name, ':'); at >= 0 {
		name, typ = name[:at], name[at+1:]
	}
	if !ok || name == "" {
		return "", v, errors.New("write NAME=VALUE or NAME:TYPE=VALUE")
	}
	v, err = parseTyped(typ, value)
	return name, v, err
}

func parseTyped(typ, text string) (bridge.Value, error) {
	switch typ {
	case "string":
		if !utf8.ValidString(text) {
			return bridge.Value{}, errors.New("not UTF-8")
		}
		return bridge.String(text), nil
	case "boolean":
		if text != "true" && text != "false" {
			return bridge.Value{}, errors.New("a boolean is true or false")
		}
		return bridge.Boolean(text == "true"), nil
	case "byte", "short", "int", "long":
		bits := map[string]int{"byte": 8, "short": 16, "int": 32, "long": 64}[typ]
		n, err := strconv.ParseInt(text, 10, bits)
		if err != nil {
			return bridge.Value{}, fmt.Errorf("no %s: %w", typ, err)
		}
		switch typ {
		case "byte":
			return bridge.Byte(int8(n)), nil
		case "short":
			return bridge.Short(int16(n)), nil
		case "int":
			return bridge.Int(int32(n)), nil
		default:
			return bridge.Long(n), nil
		}
	case "float", "double":
		bits := map[string]int{"float": 32, "double": 64}[typ]
		n, err := strconv.ParseFloat(text, bits)
		if err != nil {
			return bridge.Value{}, fmt.Errorf("no %s: %w", typ, err)
		}
		if typ == "float" {
			return bridge.Float(float32(n)), nil
		}
		return bridge.Double(n), nil
	case "bytes":
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return bridge.Value{}, fmt.Errorf("bytes are written in base64: %w", err)
		}
		return bridge.Bytes(string(raw)), nil
	default:
		return bridge.Value{}, fmt.Errorf("%q is not a type: boolean, byte, short, int, long, float, double or string", typ)
	}
}
