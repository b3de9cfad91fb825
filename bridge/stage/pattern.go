package stage

import (
	"context"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/envelope"
)

// Pattern is an event pattern as Amazon EventBridge has them, over the envelope of a message. It is immutable and safe
// for concurrent use.
//
// Its fields are those of the envelope, in the forms that the envelope gives them: a destination is "queue:orders", an
// instant RFC 3339 text, a property what its JMS type is in JSON, the body of a Text a string, of a Map an object, of a
// Stream a list, of Bytes or an Object base64. A long is a number, however large. What is not set is not there.
//
// A pattern with lists of objects looks for one object that has all of what the pattern asks of it. {"exists": false}
// holds where nothing is there, be it for want of the object around it.
type Pattern struct {
	alternatives []object // the combinations that $or makes; one without
}

// object is the fields that an object has to have.
type object struct {
	fields []field
}

// field is a name with its leaf or the object below it.
type field struct {
	name   string
	leaf   *leaf
	inner  *object
	absent bool // it matches where nothing is there

	// Of the envelope's own fields:
	from   func(m *bridge.Message, _ string) value
	column column
}

// column tells how a field of the envelope is found in a message.
type column uint8

const (
	columnHeader column = iota
	columnProperties
	columnPropertyTypes
	columnInferred
	columnBodyTypes
	columnBody
)

// columns are the fields of the envelope that are no headers.
var columns = map[string]column{
	"properties": columnProperties, "property_types": columnPropertyTypes, "body_type_inferred": columnInferred,
	"body": columnBody, "body_types": columnBodyTypes,
}

// Matches tells whether the pattern matches m. It allocates nothing for headers and for properties that are strings,
// numbers or booleans. The error is of class Permanent: lists are nested too deeply for an envelope to hold.
func (p *Pattern) Matches(m *bridge.Message) (bool, error) {
	for i := range p.alternatives {
		f := p.alternatives[i].inMessage(m)
		if f.deep {
			return false, bridge.Errorf(bridge.Permanent, "matching the filter: more than %d levels of lists", envelope.MaxDepth)
		}
		if f.found || f.absent {
			return true, nil
		}
	}
	return false, nil
}

// Process returns m when the pattern matches, and nil to drop it when it does not. Errors are those of [Pattern.Matches].
func (p *Pattern) Process(_ context.Context, m *bridge.Message) (*bridge.Message, error) {
	ok, err := p.Matches(m)
	if err != nil || !ok {
		return nil, err
	}
	return m, nil
}

// fate is what a part of a pattern made of a part of a message: it matches with a value that is there, or because
// nothing is there. In a list of objects the first holds for one element, the second needs all of them.
type fate struct {
	found, absent bool
	deep          bool // the message is nested too deeply
}

// join adds what the next field of an object says; done tells that the object can't match any more.
func (f *fate) join(next fate) (done bool) {
	if next.deep || !next.found && !next.absent {
		*f = fate{deep: next.deep}
		return true
	}
	f.found = f.found || next.found
	f.absent = f.absent && next.absent
	return false
}

func (o *object) inMessage(m *bridge.Message) fate {
	all := fate{absent: true}
	for i := range o.fields {
		if all.join(o.fields[i].inMessage(m)) {
			break
		}
	}
	return all
}

func (o *object) inMap(entries []bridge.Entry, depth int) fate {
	all := fate{absent: true}
	for i := range o.fields {
		f := &o.fields[i]
		if all.join(f.in(lookup(entries, f.name), depth)) {
			break
		}
	}
	return all
}

func lookup(entries []bridge.Entry, name string) *bridge.Value {
	for i := range entries {
		if entries[i].Name == name {
			return &entries[i].Value
		}
	}
	return nil
}

// in looks at the value of the field; nil: there is none.
func (f *field) in(v *bridge.Value, depth int) fate {
	switch {
	case v == nil:
		return fate{absent: f.absent}
	case v.Type() == bridge.ListType:
		return f.inList(v.List(), depth+1)
	case v.Type() == bridge.MapType:
		if f.inner != nil {
			return f.inner.inMap(v.Map(), depth+1)
		}
		return fate{absent: f.absent} // an object is no leaf
	case f.inner != nil:
		return fate{absent: f.absent}
	default:
		s := scalarOf(v)
		return fate{found: f.leaf.matches(&s)}
	}
}

// inList looks for one element that matches.
func (f *field) inList(values []bridge.Value, depth int) fate {
	if depth > envelope.MaxDepth {
		return fate{deep: true}
	}
	all := fate{absent: f.absent}
	for i := range values {
		one := f.in(&values[i], depth)
		if one.found || one.deep {
			return one
		}
		all.absent = all.absent && one.absent
	}
	return all
}
