package bridge

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// simContent makes the nth message of a broker. It depends on nothing else, so that what was put can be made twice and
// compared with what arrives, though both sides keep pointers.
func simContent(key string, n int, group string, expires, now time.Time, mixed bool) Message {
	m := Message{
		Key: key, ID: key, Destination: Destination{Queue, "q"}, GroupID: group, GroupSeq: int32(n), Expiration: expires,
		Timestamp: now, Priority: uint8(n % 10), Persistent: n%5 != 0, Body: NewText("body of " + key),
	}
	if n%3 > 0 {
		m.CorrelationID, m.Type = "correlation of "+key, fmt.Sprint("type", n%7)
	}
	if n%4 == 0 {
		m.UserID, m.ReplyTo = "user", Destination{TempQueue, "answers to " + key}
	}
	m.Properties = NewProperties([]Entry{
		{"number", Int(int32(n))},
		{"text", String("text of " + key)},
		{"long", Long(int64(n) << 33)},
		{"flag", Boolean(n%2 == 0)},
		{"rate", Double(float64(n) / 3)},
		{"raw", Bytes("\x00\xff" + key)},
		{"nothing", Null()},
	}[:n%8])
	if !mixed {
		return m
	}
	switch n % 9 {
	case 0:
		m.Body = NewBytes("\x00\xff of " + key)
	case 1:
		m.Body = NewMap([]Entry{{"key", String(key)}, {"n", Short(int16(n))}})
	case 2:
		m.Body = NewStream([]Value{String(key), Float(float32(n))})
	case 3:
		m.Body = NewObject("\xac\xed\x00\x05 of " + key)
	case 4:
		m.Body = Body{}
	case 5:
		m.Body = m.Body.Inferred()
	}
	return m
}

// sameAs names the fields in which a message differs from what was put; "": none. The mark of a redelivery is the
// delivery's own.
func sameAs(put, got *Message) string {
	if put == nil {
		return "nobody has put a message with this key"
	}
	if sameMessage(put, got) {
		return ""
	}
	want := *put
	want.Redelivered = got.Redelivered
	var fields []string
	w, g := reflect.ValueOf(want), reflect.ValueOf(*got)
	for i := range w.NumField() {
		if a, b := w.Field(i).Interface(), g.Field(i).Interface(); !reflect.DeepEqual(a, b) {
			fields = append(fields, fmt.Sprintf("%s is %+v and was put as %+v", w.Type().Field(i).Name, b, a))
		}
	}
	text := strings.ReplaceAll(strings.Join(fields, "; "), "\x00", "\\0")
	return strings.ToValidUTF8(text, "?")
}

// sameMessage compares what sameAs does; without reflection, which costs the simulation a third of its time.
func sameMessage(a, b *Message) bool {
	return a.Key == b.Key && a.ID == b.ID && a.CorrelationID == b.CorrelationID && a.Type == b.Type && a.UserID == b.UserID &&
		a.Destination == b.Destination && a.ReplyTo == b.ReplyTo && a.Timestamp.Equal(b.Timestamp) &&
		a.Expiration.Equal(b.Expiration) && a.Priority == b.Priority && a.Persistent == b.Persistent &&
		a.DeliveryCount == b.DeliveryCount && a.GroupID == b.GroupID && a.GroupSeq == b.GroupSeq &&
		a.Properties.Equal(b.Properties) && a.Body.Equal(b.Body) && a.Body.IsInferred() == b.Body.IsInferred()
}

// The comparison knows every field, those that are added later too.
func TestAChangeOfAnyFieldIsNoticed(t *testing.T) {
	put := simContent("ID:7", 7, "g", time.Time{}, time.Unix(1, 0), true)
	if text := sameAs(&put, &put); text != "" {
		t.Fatalf("a message differs from itself: %s", text)
	}
	fields := reflect.TypeFor[Message]()
	for i := range fields.NumField() {
		got := put
		switch f := reflect.ValueOf(&got).Elem().Field(i); v := f.Interface().(type) {
		case string:
			f.SetString(v + "x")
		case bool:
			f.SetBool(!v)
		case uint8:
			f.SetUint(uint64(v) + 1)
		case int, int32:
			f.SetInt(f.Int() + 1)
		case time.Time:
			f.Set(reflect.ValueOf(v.Add(time.Millisecond)))
		case Destination:
			f.Set(reflect.ValueOf(Destination{v.Kind, v.Name + "x"}))
		case Properties:
			f.Set(reflect.ValueOf(v.With("number", Long(7))))
		case Body:
			f.Set(reflect.ValueOf(NewBytes(v.Data())))
		default:
			t.Fatalf("a field of type %T", v)
		}
		if name := fields.Field(i).Name; (sameAs(&put, &got) == "") != (name == "Redelivered") {
			t.Errorf("a change of %s: %q", name, sameAs(&put, &got))
		}
	}
}

// putMessage returns what was put on any broker under a key; nil: nothing was.
func (w *simWorld) putMessage(key string) *Message {
	for _, b := range w.brokers {
		if m := b.putMessage(key); m != nil {
			return m
		}
	}
	return nil
}

// checkContent says what is wrong with a message of a call, beside the time: it must be what was put, addressed as the
// route and the target want it. "": nothing.
func (w *simWorld) checkContent(o *Outgoing, l Limits) string {
	m := o.Message
	put := w.putMessage(m.Key)
	if text := sameAs(put, m); text != "" {
		return text
	}
	for _, b := range w.brokers {
		if redelivered, ok := b.gave(m); ok && redelivered != m.Redelivered {
			return fmt.Sprintf("redelivered is %v, and it was delivered as %v", m.Redelivered, redelivered)
		}
	}
	group, id := "", ""
	switch {
	case w.set.Order == OrderStrict:
		group = w.set.Name
	case w.set.Order == OrderGroup && put.GroupID != "":
		group = put.GroupID
	case w.set.Order == OrderGroup, l.Group:
		group = put.Key
	}
	if l.Dedup {
		sum := sha256.Sum256([]byte(w.set.Name + "\x00queue:q\x00" + put.Key + "\x00"))
		id = hex.EncodeToString(sum[:])
	}
	if o.Group != group || o.DedupID != id || o.Attempt < 1 || !o.Deadline.IsZero() && w.requester == nil {
		return fmt.Sprintf("group %q, want %q; deduplication id %q, want %q; attempt %d; deadline %v",
			o.Group, group, o.DedupID, id, o.Attempt, o.Deadline)
	}
	return ""
}

// checkTarget is the content check of the target: the engine adds nothing to a message.
func (w *simWorld) checkTarget(o *Outgoing) string {
	if text := w.checkContent(o, w.target.limits); text != "" {
		return text
	}
	if o.Extra.Len() > 0 {
		return fmt.Sprintf("the engine has added %+v", o.Extra)
	}
	return ""
}

// checkDead is the content check of the dead letter: the engine adds the diagnosis, and nothing else.
func (w *simWorld) checkDead(o *Outgoing) string {
	put := w.putMessage(o.Message.Key)
	if put != nil && !put.Expiration.IsZero() { // the copy must not expire, and the diagnosis must have the instant
		if _, ok := o.Extra.Lookup(DeadExpiration); !ok || !o.Message.Expiration.IsZero() {
			return fmt.Sprintf("a dead letter expires at %v, the diagnosis is %+v", o.Message.Expiration, o.Extra)
		}
		whole, lasting := *o, *o.Message
		lasting.Expiration = put.Expiration
		whole.Message = &lasting
		o = &whole
	}
	if text := w.checkContent(o, w.dead.limits); text != "" {
		return text
	}
	for name, v := range o.Extra.All() {
		var ok bool
		switch name {
		case DeadRoute:
			ok = v.Str() == w.set.Name
		case DeadTarget:
			ok = w.isTarget(v.Str())
		case DeadDestination:
			ok = v.Str() == "queue:q"
		case DeadErrorClass, DeadError, DeadErrorCode:
			ok = v.Str() != ""
		case DeadAttempts:
			// More than the budget of 5 where calls fail as a whole so often that so many prove nothing (pipeline.unlikely):
			// 20 do when half of them fail.
			ok = v.Type() == IntType && v.Int64() >= 0 && v.Int64() <= 20
		case DeadFirstTime, DeadLastTime:
			ok = v.Type() == LongType
		case DeadExpiration:
			ok = v.Type() == LongType && v.Int64() == w.putMessage(o.Message.Key).Expiration.UnixMilli()
		default:
			ok = false
		}
		if !ok {
			return fmt.Sprintf("the diagnosis says %s: %+v", name, v)
		}
	}
	first, _ := o.Extra.Lookup(DeadFirstTime)
	last, _ := o.Extra.Lookup(DeadLastTime)
	if first.Int64() < o.Message.Timestamp.UnixMilli() || last.Int64() < first.Int64() || last.Int64() > time.Now().UnixMilli() {
		return fmt.Sprintf("put at %d, failed first at %d and last at %d, dead-lettered at %d",
			o.Message.Timestamp.UnixMilli(), first.Int64(), last.Int64(), time.Now().UnixMilli())
	}
	return ""
}
