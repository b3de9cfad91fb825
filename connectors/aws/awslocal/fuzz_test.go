package awslocal

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// FuzzServe gives the endpoint any body for any action: it must answer, with JSON, and never with a panic.
func FuzzServe(f *testing.F) {
	url := "http://sqs.test/123456789012/q.fifo"
	f.Add("SendMessageBatch", `{"QueueUrl":"`+url+`","Entries":[{"Id":"0","MessageBody":"x","MessageGroupId":"g","MessageDeduplicationId":"d"}]}`)
	f.Add("SendMessage", `{"QueueUrl":"`+url+`","MessageBody":"x","MessageAttributes":{"k":{"DataType":"Number.int","StringValue":"1e-400"}}}`)
	f.Add("ReceiveMessage", `{"QueueUrl":"`+url+`","MaxNumberOfMessages":10,"VisibilityTimeout":0,"MessageAttributeNames":["All"]}`)
	f.Add("DeleteMessage", `{"QueueUrl":"`+url+`","ReceiptHandle":"cS5maWZvL2EvMS8w"}`)
	f.Add("ChangeMessageVisibilityBatch", `{"QueueUrl":"q.fifo","Entries":[{"Id":"a","ReceiptHandle":"","VisibilityTimeout":-1}]}`)
	f.Add("CreateQueue", `{"QueueName":"x.fifo","Attributes":{"FifoQueue":"true","RedrivePolicy":"{\"maxReceiveCount\":\"3\",\"deadLetterTargetArn\":\"arn:aws:sqs:us-east-1:123456789012:q.fifo\"}"}}`)
	f.Add("ListQueues", `{"MaxResults":-1,"NextToken":"zzz"}`)
	f.Add("GetQueueAttributes", `{"QueueUrl":"`+url+`","AttributeNames":["All","Colour"]}`)
	f.Fuzz(func(t *testing.T, action, body string) {
		e := New(Options{}, "http://sqs.test")
		defer func() { _ = e.Close() }()
		if _, err := e.CreateQueue(QueueOptions{Name: "q.fifo"}); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(body, "WaitTimeSeconds") || strings.Contains(body, "waittimeseconds") {
			return // a long poll takes its time
		}
		for range 2 { // the second one meets what the first has left
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
			r.Header.Set("X-Amz-Target", "AmazonSQS."+action)
			w := httptest.NewRecorder()
			e.handler.ServeHTTP(w, r)
			if !json.Valid(w.Body.Bytes()) {
				t.Errorf("answer %q", w.Body)
			}
			if w.Code >= 500 {
				t.Errorf("status %d: %s", w.Code, w.Body)
			}
		}
	})
}
