package sqs_test

import (
	"fmt"
	"testing"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/connectors/aws/sqs"
)

func TestABatchArrivesWithItsAttributes(t *testing.T) {
	e := start(t, awslocal.Options{Keys: []awslocal.Key{{ID: "AKIDEXAMPLE", Secret: "secret"}}})
	queue(t, e, "orders", nil)
	s := connected(t, sqs.SinkSettings{Client: clientFor(t, e), Queue: "orders"})
	var batch []bridge.Outgoing
	for i := range 10 {
		m := text(fmt.Sprint("body ", i))
		m.Properties = bridge.NewProperties([]bridge.Entry{{Name: "n", Value: bridge.Int(int32(i))}, {Name: "s", Value: bridge.String("ä\"\\\n")}})
		batch = append(batch, bridge.Outgoing{Message: m})
	}
	res := send(t, s, batch...)
	got := e.Messages("orders")
	if len(got) != 10 {
		t.Fatalf("%d messages arrived", len(got))
	}
	for i := range got {
		if got[i].ID != res[i].ID || got[i].Body != fmt.Sprint("body ", i) || got[i].Text("n") != fmt.Sprint(i) || got[i].Text("s") != "ä\"\\\n" {
			t.Errorf("message %d: %+v", i, got[i])
		}
		if a := got[i].Attributes["n"]; a.DataType != "Number.int" {
			t.Errorf("data type %q", a.DataType)
		}
		m := decoded(t, &got[i])
		if want := batch[i].Message; m.ID != want.ID || !m.Properties.Equal(want.Properties) || !m.Body.Equal(want.Body) {
			t.Errorf("read back as %+v", m)
		}
	}
}
