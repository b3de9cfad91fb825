package stomp

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp/client"
)

// hostile decodes a frame of Classic whose head has these lines too.
func hostile(t *testing.T, lines string) *delivery {
	t.Helper()
	return decode(t, client.Classic, "6.2.0", SourceSettings{}, "MESSAGE\nmessage-id:ID\\ca\\c1\\c1\\c1\nack:1\n"+lines+"\nx\x00")
}

func members(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"%x"\c""`, i)
	}
	return "{" + b.String()[1:] + "}\n"
}

func TestAMessageMustNameOurSubscription(t *testing.T) {
	for head, want := range map[string]error{
		"subscription:s1\n": nil, "subscription:other\nsubscription:s1\n": nil, "subscription:s1\nsubscription:other\n": nil,
		"subscription:other\n": errForeign, "": errForeign,
	} {
		f, err := client.NewReader(strings.NewReader("MESSAGE\nmessage-id:ID\\ca\\c1\\c1\\c1\nack:1\n"+head+"\nx\x00"), client.Limits{}).Next()
		if err != nil {
			t.Fatal(err)
		}
		d := newDecoder(client.Classic, "6.2.0", SourceSettings{Destination: bridge.Destination{Kind: bridge.Queue, Name: "q"}})
		if _, err := d.delivery(f, "s1"); err != want { //nolint:errorlint // the very same error
			t.Errorf("%q: %v", head, err)
		}
	}
}

func TestCompanionsOfAnySizeCostLinearTime(t *testing.T) {
	from := time.Now()
	for _, n := range []int{mostMembers, mostMembers + 1, 40000} {
		m := hostile(t, "jmsbridge_more:"+members(n)).Message
		want := n
		if n > mostMembers { // no sink of ours writes that
			want = 1
		}
		if got := m.Properties.Len(); got != want {
			t.Errorf("%d members make %d properties", n, got)
		}
	}
	properties := strings.Builder{}
	for i := range 990 {
		fmt.Fprintf(&properties, "p%x:1\n", i)
	}
	hostile(t, properties.String()+"jmsbridge_property_types:"+members(40000))
	if took := time.Since(from); took > 20*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestMorePropertiesReplaceThoseOfTheFrame(t *testing.T) {
	got := hostile(t, "a:frame\nb:2\n"+`jmsbridge_more:{"a"\c"more","c"\c"3","JMSXGroupID"\c"g","JMSXGroupSeq"\c"7","JMSCorrelationID"\c"x\\u0000","JMSType"\c"\\u0000"}`+
		"\n"+`jmsbridge_property_types:{"b"\c"int","c"\c"long"}`+"\n").Message
	want := bridge.NewProperties([]bridge.Entry{
		{Name: "a", Value: bridge.String("more")}, {Name: "b", Value: bridge.Int(2)}, {Name: "c", Value: bridge.Long(3)},
	})
	if !got.Properties.Equal(want) || got.GroupID != "g" || got.GroupSeq != 7 || got.CorrelationID != "x\x00" || got.Type != "\x00" {
		t.Errorf("%v %+v", dumpTyped(got.Properties), got)
	}
}

func TestRepeatedPropertiesOfAnyNumberCountOnce(t *testing.T) {
	var b strings.Builder
	for i := range 900 {
		fmt.Fprintf(&b, "p%d:%d\n", i%450, i)
	}
	p := hostile(t, b.String()).Message.Properties
	if v, _ := p.Lookup("p449"); p.Len() != 450 || v.Str() != "449" {
		t.Errorf("%d properties, p449 is %q", p.Len(), v.Str())
	}
}

// The size of a delivery covers what it keeps in memory, however small its headers are.
func TestSizeCoversProperties(t *testing.T) {
	if n := unsafe.Sizeof(bridge.Entry{}); n > entrySize {
		t.Errorf("an entry takes %d bytes", n)
	}
	if n := unsafe.Sizeof(delivery{}); n > deliveryOverhead {
		t.Errorf("a delivery takes %d bytes", n)
	}
	var b strings.Builder
	for i := range 900 {
		fmt.Fprintf(&b, "%x:\n", i)
	}
	small, more := hostile(t, b.String()), hostile(t, "jmsbridge_more:"+members(900))
	for _, d := range []*delivery{small, more} {
		if least := 900 * int(unsafe.Sizeof(bridge.Entry{})); d.Size < least {
			t.Errorf("%d, want at least %d", d.Size, least)
		}
	}
	if small.wire >= small.Size-deliveryOverhead {
		t.Errorf("the frame has %d bytes, of %d", small.wire, small.Size)
	}
}

func TestHeadersThatNoFrameCanHold(t *testing.T) {
	queue := bridge.Destination{Kind: bridge.Queue, Name: "q"}
	for name, m := range map[string]*bridge.Message{
		"a group with a NUL":         {GroupID: "a\x00b"},
		"a reply-to with a NUL":      {ReplyTo: bridge.Destination{Kind: bridge.Queue, Name: "a\x00b"}},
		"a correlation id, no UTF-8": {CorrelationID: "\xff"},
		"a type, no UTF-8":           {Type: "\xff\x00"},
		"a group, no UTF-8":          {GroupID: "\xff"},
		"a reply-to, no UTF-8":       {ReplyTo: bridge.Destination{Kind: bridge.TempQueue, Name: "\xff"}},
	} {
		for _, kind := range []client.Kind{client.Classic, client.Artemis, client.Unknown} {
			_, err := newEncoder(kind, "6.2.0").frame(&bridge.Outgoing{Message: m}, queue)
			if err == nil || bridge.ClassOf(err) != bridge.Permanent || bridge.AsError(err).Code != "header-encoding" {
				t.Errorf("%s, %s: %v", name, kind, err)
			}
		}
	}
	if _, err := newEncoder(client.Artemis, "2.44.0").frame(&bridge.Outgoing{Message: &bridge.Message{}, DedupID: "\x00"}, queue); bridge.ClassOf(err) != bridge.Permanent || err == nil {
		t.Errorf("a deduplication id with a NUL: %v", err)
	}
}

func TestMorePropertiesThanASourceTakesAreRefused(t *testing.T) {
	entries := make([]bridge.Entry, mostMembers+1)
	for i := range entries {
		entries[i] = bridge.Entry{Name: fmt.Sprintf("a:%d", i), Value: bridge.String("x")}
	}
	m := &bridge.Message{Properties: bridge.NewProperties(entries)}
	_, err := newEncoder(client.Artemis, "2.44.0").frame(&bridge.Outgoing{Message: m}, bridge.Destination{Kind: bridge.Queue, Name: "q"})
	if err == nil || bridge.ClassOf(err) != bridge.Permanent {
		t.Errorf("%v", err)
	}
}
