package awslocal

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// BenchmarkSendMessageBatch is the endpoint's share of a batch of ten messages of 1 KiB with five attributes, without
// sockets and without a client.
func BenchmarkSendMessageBatch(b *testing.B) {
	for _, name := range []string{"standard", "q.fifo"} {
		b.Run(name, func(b *testing.B) {
			e := New(Options{LogRecords: -1}, "http://sqs.test")
			defer func() { _ = e.Close() }()
			url, err := e.CreateQueue(QueueOptions{Name: name})
			if err != nil {
				b.Fatal(err)
			}
			var text bytes.Buffer
			fmt.Fprintf(&text, `{"QueueUrl":%q,"Entries":[`, url)
			for i := range 10 {
				if i > 0 {
					text.WriteByte(',')
				}
				fmt.Fprintf(&text, `{"Id":"%d","MessageBody":%q,"MessageAttributes":{`, i, strings.Repeat("x", 1024))
				for k := range 5 {
					if k > 0 {
						text.WriteByte(',')
					}
					fmt.Fprintf(&text, `"property%d":{"DataType":"String","StringValue":"value %d"}`, k, k)
				}
				text.WriteString("}")
				if name == "q.fifo" {
					fmt.Fprintf(&text, `,"MessageGroupId":"g%d","MessageDeduplicationId":"~~~~~~~~%d"`, i, i)
				}
				text.WriteString("}")
			}
			text.WriteString("]}")
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				body := text.Bytes()
				if name == "q.fifo" {
					body = bytes.ReplaceAll(body, []byte("~~~~~~~~"), fmt.Appendf(nil, "%08d", n))
				}
				r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
				r.Header.Set("X-Amz-Target", "AmazonSQS.SendMessageBatch")
				w := httptest.NewRecorder()
				e.handler.ServeHTTP(w, r)
				if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"Id":"9"`) {
					b.Fatal(w.Code, w.Body.String())
				}
				if n%1000 == 999 { // the queue must not fill the memory
					b.StopTimer()
					e.Drain(name)
					b.StartTimer()
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/10, "µs/msg")
		})
	}
}
