package sqs_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sqsapi "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws"
	"github.com/jmsbridge/jmsbridge/connectors/aws/sqs"
)

// typical is a batch of ten texts of 1 KiB with five properties, as Classic delivers them.
func typical() []bridge.Outgoing {
	body := strings.Repeat("0123456789abcdef", 60) + `{"order":17,"note":"he said \"go\""}` + strings.Repeat("é", 14)
	out := make([]bridge.Outgoing, 10)
	for i := range out {
		out[i] = bridge.Outgoing{Message: &bridge.Message{
			ID: fmt.Sprintf("ID:host-40000-1700000000000-1:1:1:1:%d", i), Priority: 4, Persistent: true,
			Destination: bridge.Destination{Kind: bridge.Queue, Name: "orders"}, Timestamp: instant,
			Properties: bridge.NewProperties([]bridge.Entry{
				{Name: "account", Value: bridge.String(fmt.Sprint("account-", i))},
				{Name: "region", Value: bridge.String("eu-west-1")},
				{Name: "amount", Value: bridge.String("1234.56")},
				{Name: "attempt", Value: bridge.Int(3)},
				{Name: "urgent", Value: bridge.Boolean(true)},
			}),
			Body: bridge.NewText(body[:1024]),
		}}
	}
	return out
}

// processCPU is the CPU time of the process so far. Unlike the clock it means something on a machine with other work.
func processCPU() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// perMessage reports CPU time, that of the double's server and of the kernel's loopback included.
func perMessage(b *testing.B, before time.Duration) {
	b.ReportMetric(float64((processCPU()-before).Nanoseconds())/1000/float64(b.N)/10, "cpu-µs/message")
}

var instant = time.UnixMilli(1700000000123)

// fixedServer answers every batch with success. It reads no more of HTTP than it must, so that what is measured is the
// client.
func fixedServer(b *testing.B) (url string) {
	var entries []string
	for i := range 10 {
		entries = append(entries, fmt.Sprintf(`{"Id":"%d","MessageId":"5fea7756-0ea4-451a-a703-a558b933e27%d","MD5OfMessageBody":"fafb00f5732ab283681e124bf8747ed1","MD5OfMessageAttributes":"00484c68e59f48a2ff5f68cd7e3f4e4c"}`, i, i))
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	url = "http://" + l.Addr().String()
	answer := func(body string) []byte {
		return fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nX-Amzn-Requestid: b5293cb5-d306-4a17-9048-b263635abe42\r\nDate: Tue, 14 Nov 2023 22:13:20 GMT\r\n"+
			"Content-Type: application/x-amz-json-1.0\r\nContent-Length: %d\r\nConnection: keep-alive\r\n\r\n%s", len(body), body)
	}
	answers := map[string][]byte{
		"AmazonSQS.GetQueueUrl":        answer(`{"QueueUrl":"` + url + `/123456789012/orders"}`),
		"AmazonSQS.GetQueueAttributes": answer(`{"Attributes":{"MaximumMessageSize":"1048576"}}`),
		"AmazonSQS.SendMessageBatch":   answer(`{"Successful":[` + strings.Join(entries, ",") + `]}`),
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { serveFixed(conn, answers) })
		}
	})
	b.Cleanup(func() {
		l.Close()
		serving.Wait()
	})
	return url
}

func serveFixed(conn net.Conn, answers map[string][]byte) {
	defer conn.Close()
	r := bufio.NewReaderSize(conn, 64<<10)
	for {
		length, answer := 0, []byte(nil)
		for {
			line, err := r.ReadSlice('\n')
			if err != nil {
				return
			}
			line = bytes.TrimRight(line, "\r\n")
			if len(line) == 0 {
				break
			}
			name, value, _ := bytes.Cut(line, []byte(": "))
			switch {
			case bytes.EqualFold(name, []byte("Content-Length")):
				length, _ = strconv.Atoi(string(value))
			case bytes.EqualFold(name, []byte("X-Amz-Target")):
				answer = answers[string(value)]
			}
		}
		if _, err := r.Discard(length); err != nil {
			return
		}
		if _, err := conn.Write(answer); err != nil {
			return
		}
	}
}

// discard takes requests and answers without a network: what is left is what the sink itself costs.
type discard struct{ answer string }

func (d discard) RoundTrip(r *http.Request) (*http.Response, error) {
	_, _ = io.Copy(io.Discard, r.Body)
	_ = r.Body.Close()
	return &http.Response{StatusCode: 200, Header: http.Header{}, ContentLength: int64(len(d.answer)), Body: io.NopCloser(strings.NewReader(d.answer))}, nil
}

// BenchmarkSend reports a batch of ten as one operation, over a loopback socket to a server in the same process.
func BenchmarkSend(b *testing.B) {
	url := fixedServer(b)
	environment(b, "AKIDEXAMPLE", "secret", "")
	client := aws.NewClient(aws.Settings{EndpointURL: url, Region: "us-east-1"})
	b.Cleanup(client.Close)
	s := connected(b, sqs.SinkSettings{Client: client, Queue: "orders"})
	benchmark(b, s)
}

// BenchmarkSendAlone leaves out the network and net/http's transport.
func BenchmarkSendAlone(b *testing.B) {
	environment(b, "AKIDEXAMPLE", "secret", "")
	var entries []string
	for i := range 10 {
		entries = append(entries, fmt.Sprintf(`{"Id":"%d","MessageId":"5fea7756-0ea4-451a-a703-a558b933e27%d","MD5OfMessageBody":"fafb00f5732ab283681e124bf8747ed1"}`, i, i))
	}
	d := discard{`{"QueueUrl":"http://sqs.test/1/orders","Attributes":{},"Successful":[` + strings.Join(entries, ",") + `]}`}
	client := aws.NewClient(aws.Settings{EndpointURL: "http://sqs.test", Region: "us-east-1", RoundTripper: d})
	s := connected(b, sqs.SinkSettings{Client: client, Queue: "orders"})
	benchmark(b, s)
}

func benchmark(b *testing.B, s *sqs.Sink) {
	batch, res := typical(), unanswered(10)
	b.ReportAllocs()
	before := processCPU()
	for b.Loop() {
		for i := range batch {
			if _, err := s.Size(&batch[i]); err != nil {
				b.Fatal(err)
			}
			res[i].Err = bridge.ErrUnanswered
		}
		if err := s.Send(b.Context(), batch, res); err != nil {
			b.Fatal(err)
		}
	}
	if res[9].Err != nil {
		b.Fatal(res[9].Err)
	}
	perMessage(b, before)
}

// BenchmarkSDK is what the same batch costs with the SDK's client.
func BenchmarkSDK(b *testing.B) {
	url := fixedServer(b)
	client := sqsapi.New(sqsapi.Options{
		Region: "us-east-1", BaseEndpoint: &url, Retryer: sdk.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""), DisableMessageChecksumValidation: true,
	})
	batch := typical()
	queueURL := url + "/123456789012/orders"
	b.ReportAllocs()
	before := processCPU()
	for b.Loop() {
		in := &sqsapi.SendMessageBatchInput{QueueUrl: &queueURL}
		for i := range batch {
			m := batch[i].Message
			attributes := map[string]types.MessageAttributeValue{"MessageID": {DataType: sdk.String("String"), StringValue: &m.ID}}
			for name, v := range m.Properties.All() {
				attributes[name] = types.MessageAttributeValue{DataType: sdk.String("String"), StringValue: sdk.String(v.Str() + "1")}
			}
			in.Entries = append(in.Entries, types.SendMessageBatchRequestEntry{
				Id: sdk.String(fmt.Sprint(i)), MessageBody: sdk.String(m.Body.Data()), MessageAttributes: attributes,
			})
		}
		if _, err := client.SendMessageBatch(b.Context(), in); err != nil {
			b.Fatal(err)
		}
	}
	perMessage(b, before)
}
