package stomp

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp/client"
)

// decode decodes one frame as the source of a broker does.
func decode(t interface {
	Helper()
	Fatal(...any)
}, kind client.Kind, version string, set SourceSettings, frame string,
) *delivery {
	t.Helper()
	if !strings.Contains(frame, "\nsubscription:") {
		frame = strings.Replace(frame, "MESSAGE\n", "MESSAGE\nsubscription:s1\n", 1)
	}
	f, err := client.NewReader(strings.NewReader(frame), client.Limits{Body: 100 << 10}).Next()
	if err != nil {
		t.Fatal(err)
	}
	if set.Destination.IsZero() {
		set.Destination = bridge.Destination{Kind: bridge.Queue, Name: "q"}
	}
	d := newDecoder(kind, version, set)
	out, err := d.delivery(f, "s1")
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func properties(p bridge.Properties) map[string]string {
	out := map[string]string{}
	for name, v := range p.All() {
		out[name] = v.Str()
	}
	return out
}

func TestDecodeClassic(t *testing.T) {
	m := decode(t, client.Classic, "6.1.7", SourceSettings{}, "MESSAGE\ncontent-length:3\nexpires:1999999999999\ncorrelation-id:a\\cb\ndestination:/queue/q.1\n"+
		"ack:ID\\cvm-4\\c1102\nsubscription:s1\npriority:7\ntype:ty\nmessage-id:ID\\cvm-3\\c7\\c-1\\c1\\c2\npersistent:true\nredelivered:true\n"+
		"reply-to:/remote-temp-queue/ID\\chost-1\\c1\\c1\nJMSXUserID:app\ntimestamp:1795491861315\nempty:\nregion:EU\nregion:US\noriginal-destination:/topic/t\n\nxyz\x00\n")
	want := bridge.Message{
		Key: "ID:vm-3:7:-1:1:2", ID: "ID:vm-3:7:-1:1:2", CorrelationID: "a:b", Type: "ty", UserID: "app",
		Destination: bridge.Destination{Kind: bridge.Queue, Name: "q.1"}, ReplyTo: bridge.Destination{Kind: bridge.TempQueue, Name: "ID:host-1:1:1"},
		Timestamp: time.UnixMilli(1795491861315).UTC(), Expiration: time.UnixMilli(1999999999999).UTC(), Priority: 7, Persistent: true, Redelivered: true,
	}
	got := m.Message
	props, body := got.Properties, got.Body
	got.Properties, got.Body = bridge.Properties{}, bridge.Body{}
	if diff := cmp.Diff(fmt.Sprintf("%+v", want), fmt.Sprintf("%+v", got)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]string{"empty": "", "region": "EU"}, properties(props)); diff != "" {
		t.Error(diff)
	}
	if !body.Equal(bridge.NewBytes("xyz")) || body.IsInferred() || m.Hold != nil || m.ack != "ID:vm-4:1102" {
		t.Errorf("%+v %v %q", body, m.Hold, m.ack)
	}
}

func TestDecodeArtemis(t *testing.T) {
	m := decode(t, client.Artemis, "2.44.0", SourceSettings{}, "MESSAGE\nsubscription:s1\nmessage-id:6096,6085\ndestination:q1\nexpires:0\nredelivered:false\npriority:7\n"+
		"persistent:false\nreply-to:temp-queue\\c//ID\\chost-1\\c1\ntimestamp:0\n_AMQ_GROUP_ID:g1\n_AMQ_GROUP_SEQUENCE:4\n__AMQ_CID:x\n__HDR_BROKER_IN_TIME:1\n"+
		"__HDR_MESSAGE_ID:ID\\cvm-1\\c1\\c1\nJMS_AMQP_ContentType:y\nreceipt:2\nn:1\ndestination-type:ANYCAST\nack:6096,6085\ncontent-length:5\n\nplain\x00\n").Message
	if m.ID != "ID:vm-1:1:1" || m.Key != m.ID || m.GroupID != "g1" || m.GroupSeq != 4 || m.Persistent || !m.Expiration.IsZero() || !m.Timestamp.IsZero() ||
		m.ReplyTo != (bridge.Destination{Kind: bridge.TempQueue, Name: "ID:host-1:1"}) || m.Destination != (bridge.Destination{Kind: bridge.Queue, Name: "q1"}) {
		t.Errorf("%+v", m)
	}
	if diff := cmp.Diff(map[string]string{"n": "1"}, properties(m.Properties)); diff != "" {
		t.Error(diff)
	}
	if !m.Body.Equal(bridge.NewText("plain")) || !m.Body.IsInferred() {
		t.Errorf("%+v", m.Body)
	}
}

// What a broker adds when it moves a message is not the sender's. A name means that only on the broker which writes it, and
// what Java clients see as a property stays one.
func TestWhatABrokerAddsToAMovedMessageIsHidden(t *testing.T) {
	const both = "original-destination:o\n_AMQ_ORIG_ADDRESS:a\n_AMQ_ORIG_QUEUE:q\n_AMQ_ORIG_MESSAGE_ID:1\n_AMQ_ORIG_ROUTING_TYPE:1\n_AMQ_ACTUAL_EXPIRY:2\n" +
		"dlqDeliveryFailureCause:why\n_AMQ_ORIGIN:mine\noriginal:mine\n"
	kept := map[string]string{"dlqDeliveryFailureCause": "why", "_AMQ_ORIGIN": "mine", "original": "mine"}
	artemisOwn := map[string]string{
		"_AMQ_ORIG_ADDRESS": "a", "_AMQ_ORIG_QUEUE": "q", "_AMQ_ORIG_MESSAGE_ID": "1", "_AMQ_ORIG_ROUTING_TYPE": "1", "_AMQ_ACTUAL_EXPIRY": "2",
	}
	classicOwn := map[string]string{"original-destination": "o"}
	for kind, more := range map[client.Kind][]map[string]string{
		client.Classic: {artemisOwn}, client.Artemis: {classicOwn}, client.Unknown: {artemisOwn, classicOwn},
	} {
		want := maps.Clone(kept)
		for _, m := range more {
			maps.Copy(want, m)
		}
		m := decode(t, kind, "6.1.7", SourceSettings{}, "MESSAGE\nsubscription:s1\nack:1\nmessage-id:ID\\ca\\c1\\c1\\c1\ndestination:/queue/q\n"+both+"\nx\x00").Message
		if diff := cmp.Diff(want, properties(m.Properties)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", kind, diff)
		}
	}
}

// What a broker shows as JMSReplyTo, and where an answer must go: every other spelling is taken and lost.
func TestAnAnswerGoesWhereTheBrokerTakesIt(t *testing.T) {
	for _, tc := range []struct {
		kind          client.Kind
		shown         string // on the wire
		want          bridge.Destination
		name, routing string // of the SEND
	}{
		{client.Classic, `/remote-temp-queue/ID\chost-1\c1\c1`, bridge.Destination{Kind: bridge.TempQueue, Name: "ID:host-1:1:1"}, "/remote-temp-queue/ID:host-1:1:1", ""},
		{client.Classic, `/remote-temp-topic/ID\chost-1\c1\c1`, bridge.Destination{Kind: bridge.TempTopic, Name: "ID:host-1:1:1"}, "/remote-temp-topic/ID:host-1:1:1", ""},
		{client.Classic, "/queue/x", bridge.Destination{Kind: bridge.Queue, Name: "x"}, "/queue/x", ""},
		{client.Classic, "/topic/x", bridge.Destination{Kind: bridge.Topic, Name: "x"}, "/topic/x", ""},
		{client.Artemis, `temp-queue\c//ID\chost-1\c1\c1`, bridge.Destination{Kind: bridge.TempQueue, Name: "ID:host-1:1:1"}, "ID:host-1:1:1", "ANYCAST"},
		{client.Artemis, `temp-queue\c//0c5c8d9e-e0f1`, bridge.Destination{Kind: bridge.TempQueue, Name: "0c5c8d9e-e0f1"}, "0c5c8d9e-e0f1", "ANYCAST"},
		{client.Artemis, `temp-topic\c//0c5c8d9e-e0f1`, bridge.Destination{Kind: bridge.TempTopic, Name: "0c5c8d9e-e0f1"}, "0c5c8d9e-e0f1", "MULTICAST"},
		{client.Artemis, `queue\c//x`, bridge.Destination{Kind: bridge.Queue, Name: "x"}, "x", "ANYCAST"},
		{client.Artemis, `topic\c//x`, bridge.Destination{Kind: bridge.Topic, Name: "x"}, "x", "MULTICAST"},
	} {
		got := decode(t, tc.kind, "6.1.7", SourceSettings{}, "MESSAGE\nack:1\nmessage-id:ID\\ca\\c1\\c1\\c1\nreply-to:"+tc.shown+"\n\nx\x00").Message.ReplyTo
		if got != tc.want {
			t.Errorf("%s: %s shows %+v, want %+v", tc.kind, tc.shown, got, tc.want)
		}
		if name, routing := spell(tc.kind, got); name != tc.name || routing != tc.routing {
			t.Errorf("%s: the answer to %s goes to %q %q, want %q %q", tc.kind, tc.shown, name, routing, tc.name, tc.routing)
		}
	}
}

func TestKeyIsTheSameOnEachDelivery(t *testing.T) {
	for _, tc := range []struct {
		kind          client.Kind
		first, second string
		want          string
	}{
		{client.Artemis, "message-id:1,77", "message-id:2,77", "77"},
		{client.Artemis, "message-id:1,77\nNATIVE_MESSAGE_ID:ID\\cx", "message-id:2,77\nNATIVE_MESSAGE_ID:ID\\cx", "ID:x"},
		{client.Classic, "message-id:ID\\ca\\c1\\c1\\c1", "message-id:ID\\ca\\c1\\c1\\c1", "ID:a:1:1:1"},
		{client.Unknown, "message-id:T_1@@s@@1", "message-id:T_1@@s@@2", ""},
		{client.Unknown, "message-id:ID\\ca", "message-id:ID\\ca", "ID:a"},
	} {
		for _, id := range []string{tc.first, tc.second} {
			m := decode(t, tc.kind, "", SourceSettings{}, "MESSAGE\nack:1\n"+id+"\n\nx\x00").Message
			if m.Key != tc.want {
				t.Errorf("%s %s: key %q, want %q", tc.kind, id, m.Key, tc.want)
			}
		}
	}
}

func TestWhatCannotBeToldOrSettledIsHeld(t *testing.T) {
	classic := "ack:1\nmessage-id:ID\\ca\\c1\\c1\\c1\n"
	for _, tc := range []struct {
		name  string
		kind  client.Kind
		set   SourceSettings
		frame string
		code  string // "" not held
	}{
		{"empty on Classic", client.Classic, SourceSettings{}, classic + "\n", "empty-body"},
		{"empty on Classic, said to be text", client.Classic, SourceSettings{EmptyBodyText: true}, classic + "\n", ""},
		{"empty bytes on Classic", client.Classic, SourceSettings{}, classic + "content-length:0\n\n", ""},
		{"empty of our sink", client.Classic, SourceSettings{}, classic + "jmsbridge_body_type:text\n\n", ""},
		{"no body of our sink", client.Classic, SourceSettings{}, classic + "jmsbridge_body_type:none\n\n", ""},
		{"a wrong companion", client.Classic, SourceSettings{}, classic + "jmsbridge_body_type:map\n\n", "empty-body"},
		{"of AMQP on Classic", client.Classic, SourceSettings{}, "ack:1\nmessage-id:ID\\c4f7\\c1\\c1\\c1-1\n\nx", "unsettleable"},
		{"of AMQP with a free id on Classic", client.Classic, SourceSettings{}, "ack:1\nmessage-id:mine\n\nx", "unsettleable"},
		{"of a STOMP sender on Classic", client.Classic, SourceSettings{}, "ack:1\nmessage-id:ID\\cvm\\c7\\c-1\\c1\\c2\n\nx", ""},
		{"a map of AMQP on Artemis", client.Artemis, SourceSettings{}, "JMS_AMQP_MA_x-opt-jms-msg-type:2\nmessage-id:1,2\nack:1,2\ncontent-length:1\n\nx", "body-type"},
		{"a text of AMQP on Artemis", client.Artemis, SourceSettings{}, "JMS_AMQP_MA_x-opt-jms-msg-type:5\nmessage-id:1,2\nack:1,2\ncontent-length:1\n\nx", ""},
		{"empty on Artemis", client.Artemis, SourceSettings{}, "message-id:1,2\nack:1,2\n\n", ""},
		{"too large", client.Classic, SourceSettings{}, classic + "content-length:200000\n\n" + strings.Repeat("x", 200000), "body-too-large"},
		{"too large, empty body allowed", client.Classic, SourceSettings{EmptyBodyText: true}, classic + "\n" + strings.Repeat("x", 200000), "body-too-large"},
		{"without any id", client.Unknown, SourceSettings{}, "a:b\n\nx", "unsettleable"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := decode(t, tc.kind, "6.1.7", tc.set, "MESSAGE\n"+tc.frame+"\x00")
			if held := d.Hold != nil; held != (tc.code != "") || held && bridge.AsError(d.Hold).Code != tc.code {
				t.Errorf("held: %v, want %q", d.Hold, tc.code)
			}
			if d.Hold != nil && !strings.HasPrefix(tc.code, "unsettleable") && bridge.AsError(d.Hold).Remedy == "" {
				t.Error("nobody says what to do")
			}
		})
	}
}

func TestArtemisTextOrBytes(t *testing.T) {
	for _, tc := range []struct {
		name, frame string
		want        bridge.Body
	}{
		{"length before the id", "content-length:3\nmessage-id:1,2\nack:1,2\n\nabc", bridge.NewBytes("abc")},
		{"length at the end", "message-id:1,2\nack:1,2\ncontent-length:3\n\nabc", bridge.NewText("abc")},
		{"no UTF-8", "message-id:1,2\nack:1,2\ncontent-length:1\n\n\xff", bridge.NewBytes("\xff")},
		{"a NUL", "message-id:1,2\nack:1,2\ncontent-length:3\n\na\x00b", bridge.NewBytes("a\x00b")},
		{"bytes of AMQP", "message-id:1,2\nJMS_AMQP_MA_x-opt-jms-msg-type:3\nack:1,2\ncontent-length:3\n\nabc", bridge.NewBytes("abc")},
		{"bytes of our sink", "message-id:1,2\njmsbridge_body_type:bytes\nack:1,2\ncontent-length:3\n\nabc", bridge.NewBytes("abc")},
		{"empty bytes of our sink", "message-id:1,2\njmsbridge_body_type:bytes\nack:1,2\n\n", bridge.NewBytes("")},
	} {
		if d := decode(t, client.Artemis, "2.44.0", SourceSettings{}, "MESSAGE\n"+tc.frame+"\x00"); !d.Message.Body.Equal(tc.want) || d.Hold != nil {
			t.Errorf("%s: %s %q %v", tc.name, d.Message.Body.Kind(), d.Message.Body.Data(), d.Hold)
		}
	}
}

func TestModifiedUTF8(t *testing.T) {
	for version, want := range map[string]bool{
		"5.15.9": true, "5.17.2": true, "5.18.3": true, "5.18.5": true, "5.18.6": false, "5.18.7": false, "5.19.0": false, "6.0.1": true, "6.1.3": true,
		"6.1.4": false, "6.1.7": false, "6.2.0": false, "6.4.0-SNAPSHOT": false, "6.1.7-jmsbridge-local": false, "7.0.0": false, "": false, "x.y.z": false,
	} {
		if got := modifiedUTF8(version); got != want {
			t.Errorf("%q: %v, want %v", version, got, want)
		}
	}
	const classic = "MESSAGE\nack:1\nmessage-id:ID\\ca\\c1\\c1\\c1\n\n"
	for raw, want := range map[string]bridge.Body{
		"plain":                        bridge.NewText("plain"),
		"\xed\xa0\xbd\xed\xb8\x80!":    bridge.NewText("😀!"),
		"a\xc0\x80b":                   bridge.NewText("a\x00b"),
		"😀 of a STOMP sender":          bridge.NewText("😀 of a STOMP sender"),
		"퀀\xed\xa0\xbd\xed\xb8\x80":    bridge.NewText("퀀😀"), // U+D000 begins like half of a pair
		"\xed\xa0\xbd alone":           bridge.NewBytes("\xed\xa0\xbd alone"),
		"\xff\xfe":                     bridge.NewBytes("\xff\xfe"),
		"\xed\xa0\xbd\xed\xa0\xbd two": bridge.NewBytes("\xed\xa0\xbd\xed\xa0\xbd two"),
	} {
		if d := decode(t, client.Classic, "5.18.3", SourceSettings{}, classic+raw+"\x00"); !d.Message.Body.Equal(want) {
			t.Errorf("%q: %s %q", raw, d.Message.Body.Kind(), d.Message.Body.Data())
		}
	}
	// A newer Classic sends UTF-8: the same bytes are no text there.
	if d := decode(t, client.Classic, "6.1.7", SourceSettings{}, classic+"\xed\xa0\xbd\xed\xb8\x80\x00"); d.Message.Body.Kind() != bridge.BytesBody {
		t.Errorf("%s", d.Message.Body.Kind())
	}
}

func TestModifiedUTF8IsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "text")
		encoded := modifiedUTF8Of(s)
		if strings.IndexByte(encoded, 0) >= 0 {
			t.Fatalf("%q holds a NUL", encoded)
		}
		got, ok := appendStandardUTF8(nil, []byte(encoded))
		if !ok || string(got) != s {
			t.Fatalf("%q is read back as %q", s, got)
		}
	})
}

func TestCompanionsThatLieAreProperties(t *testing.T) {
	m := decode(t, client.Classic, "6.1.7", SourceSettings{}, "MESSAGE\nack:1\nmessage-id:ID\\ca\\c1\\c1\\c1\nn:x\nb:5\n"+
		`jmsbridge_property_types:{"n"\c"long","b"\c"long","gone"\c"int"}`+"\njmsbridge_more:no JSON\njmsbridge_body_type:stream\n\nbody\x00").Message
	want := bridge.NewProperties([]bridge.Entry{
		{Name: "n", Value: bridge.String("x")},
		{Name: "b", Value: bridge.Long(5)},
		{Name: "jmsbridge_more", Value: bridge.String("no JSON")},
		{Name: "jmsbridge_body_type", Value: bridge.String("stream")},
	})
	if !m.Properties.Equal(want) || !m.Body.Equal(bridge.NewText("body")) {
		t.Errorf("%v %+v", properties(m.Properties), m.Body)
	}
}

// TestAnyMessageSurvivesAHop encodes any message for a broker and decodes what a broker would make of the frame.
func TestAnyMessageSurvivesAHop(t *testing.T) {
	kinds := []client.Kind{client.Classic, client.Artemis}
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom(kinds).Draw(t, "broker")
		m := drawMessage(t, kind)
		f, err := newEncoder(kind, "6.1.7").frame(&bridge.Outgoing{Message: m}, bridge.Destination{Kind: bridge.Queue, Name: "q"})
		if err != nil {
			if bridge.ClassOf(err) != bridge.Permanent {
				t.Fatalf("%s %v", bridge.ClassOf(err), err)
			}
			return
		}
		raw := strings.Replace(string(f.build(nil, "r")), "SEND\n", "MESSAGE\nack:1\nmessage-id:ID\\ca\\c1\\c1\\c1,1\n", 1)
		if kind == client.Classic {
			raw = strings.Replace(raw, "\\c1,1\n", "\\c1\n", 1)
		}
		got := decode(t, kind, "6.1.7", SourceSettings{}, raw)
		if !got.Message.Properties.Equal(m.Properties) {
			t.Fatalf("properties: %s\n%q", cmp.Diff(dumpTyped(m.Properties), dumpTyped(got.Message.Properties)), raw)
		}
		if !got.Message.Body.Equal(m.Body) || got.Hold != nil {
			t.Fatalf("body: %+v, want %+v; held: %v\n%q", got.Message.Body, m.Body, got.Hold, raw)
		}
		if m.Body.IsInferred() && !got.Message.Body.IsInferred() {
			t.Fatalf("what was inferred is certain after the hop: %+v\n%q", got.Message.Body, raw)
		}
		if got.Message.CorrelationID != m.CorrelationID || got.Message.Type != m.Type || got.Message.GroupID != m.GroupID {
			t.Fatalf("%+v, want %+v", got.Message, m)
		}
	})
}

func dumpTyped(p bridge.Properties) map[string]string {
	out := map[string]string{}
	for name, v := range p.All() {
		out[name] = fmt.Sprintf("%s %q %d %v", v.Type(), v.Str(), v.Int64(), v.Float64())
	}
	return out
}

func drawMessage(t *rapid.T, kind client.Kind) *bridge.Message {
	text := rapid.StringN(0, 40, 200)
	value := rapid.Custom(func(t *rapid.T) bridge.Value {
		switch rapid.IntRange(0, 9).Draw(t, "type") {
		case 0:
			return bridge.Boolean(rapid.Bool().Draw(t, "v"))
		case 1:
			return bridge.Byte(rapid.Int8().Draw(t, "v"))
		case 2:
			return bridge.Short(rapid.Int16().Draw(t, "v"))
		case 3:
			return bridge.Int(rapid.Int32().Draw(t, "v"))
		case 4:
			return bridge.Long(rapid.Int64().Draw(t, "v"))
		case 5:
			return bridge.Float(rapid.Float32().Draw(t, "v"))
		case 6:
			return bridge.Double(rapid.Float64().Draw(t, "v"))
		case 7:
			return bridge.Char(rapid.Uint16().Draw(t, "v"))
		case 8:
			return bridge.Bytes(string(rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "v")))
		default:
			return bridge.String(text.Draw(t, "v"))
		}
	})
	names := rapid.SliceOfNDistinct(rapid.OneOf(rapid.StringMatching(`[a-zA-Z_$][a-zA-Z0-9_.]{0,10}`), text,
		rapid.SampledFrom([]string{"destination", "receipt", "content-length", "ack", "message-id", "_AMQ_GROUP_ID", "amq-msg-type", "subscription", companionTypes, companionMore, companionBody})), 0, 9,
		func(s string) string { return s }).Draw(t, "names")
	m := &bridge.Message{CorrelationID: text.Draw(t, "correlation"), Type: text.Draw(t, "type"), GroupID: text.Draw(t, "group")}
	var entries []bridge.Entry
	for _, n := range names {
		if strings.HasPrefix(n, "JMSX") {
			continue
		}
		entries = append(entries, bridge.Entry{Name: n, Value: value.Draw(t, "value")})
	}
	m.Properties = bridge.NewProperties(entries)
	switch rapid.IntRange(0, 2).Draw(t, "body") {
	case 0:
		m.Body = bridge.NewText(text.Draw(t, "text"))
		if kind == client.Artemis && m.Body.Data() != "" && !utf8.ValidString(m.Body.Data()) {
			m.Body = bridge.NewText("text")
		}
	case 1:
		m.Body = bridge.NewBytes(string(rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "bytes")))
	}
	if rapid.Bool().Draw(t, "inferred") {
		m.Body = m.Body.Inferred()
	}
	return m
}

func TestCreditWatchSuspectsWhatNeverArrives(t *testing.T) {
	start := time.Now()
	run := func(level int) creditWatch {
		w := creditWatch{window: 100_000}
		now := start
		w.arrived(level, now)
		for range creditHits {
			now = now.Add(time.Second) // silence
			w.acknowledged(1000, now)
			now = now.Add(10 * time.Millisecond)
			w.arrived(1000, now)
		}
		return w
	}
	if w := run(30_000); w.missing() != 70_000 {
		t.Errorf("missing %d, want 70000", w.missing())
	}
	if w := run(95_000); w.missing() != 0 {
		t.Errorf("a full window is suspected: %d", w.missing())
	}
	w := creditWatch{window: 100_000} // an idle queue: arrivals have nothing to do with acknowledgements
	now := start
	for range 20 {
		w.arrived(1000, now)
		now = now.Add(time.Second)
		w.acknowledged(1000, now)
		now = now.Add(time.Second)
	}
	if w.missing() != 0 {
		t.Errorf("an idle queue is suspected: %d", w.missing())
	}
	off := creditWatch{}
	off.arrived(1, start)
	off.acknowledged(1, start)
	if off != (creditWatch{}) {
		t.Errorf("without a window there is nothing to watch: %+v", off)
	}
}

func TestVerdictTableStaysSmall(t *testing.T) {
	var v verdicts
	held := v.arrived("held", 1)
	for i := range 10_000 {
		v.settled(v.arrived(fmt.Sprint(i), 1), false)
		v.appendFrames(nil)
	}
	if len(v.out) != 2 || cap(v.ready) > 16 {
		t.Errorf("%d places for two messages at a time", len(v.out))
	}
	v.settled(held, false)
	if got := string(v.appendFrames(nil)); got != "ACK\nid:held\n\n\x00" {
		t.Errorf("%q", got)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(benchFrame+"x\x00"), uint8(1))
	f.Add([]byte("MESSAGE\nsubscription:ID\njmsbridge_more:{\"a\"\\c\"b\"}\njmsbridge_property_types:{\"a\"\\c\"int\"}\nmessage-id:1,2\n\n\x00"), uint8(2))
	f.Add([]byte("MESSAGE\nsubscription:other\nsubscription:ID\nack:1\njmsbridge_more:{\"JMSType\"\\c\"\\\\u0000\",\"JMSXGroupID\"\\c\"g\"}\na:1\na:2\nmessage-id:ID\\ca\\c1\\c1\\c1\n\nx\x00"), uint8(1))
	f.Fuzz(func(t *testing.T, in []byte, kind uint8) {
		r := client.NewReader(strings.NewReader(string(in)), client.Limits{Body: 1 << 16})
		frame, err := r.Next()
		if err != nil || frame.Command != client.Message {
			return
		}
		d := newDecoder(client.Kind(kind%3), "5.18.3", SourceSettings{Destination: bridge.Destination{Kind: bridge.Queue, Name: "q"}})
		out, err := d.delivery(frame, "ID")
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for name := range out.Message.Properties.All() {
			if seen[name] {
				t.Fatalf("property %q is there twice", name)
			}
			seen[name] = true
		}
		if b := out.Message.Body; b.Kind() == bridge.TextBody && !utf8.ValidString(b.Data()) {
			t.Fatalf("a text that is no UTF-8: %q", b.Data())
		}
	})
}
