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
		switch p.alternatives[i].inMessage(m) {
		case tooDeep:
			return false, bridge.Errorf(bridge.Permanent, "matching the filter: more than %d levels of lists", envelope.MaxDepth)
		case found, absent:
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

// fate is what a part of a pattern made of a part of a message.
type fate uint8

const (
	missed  fate = iota
	absent       // it matches, because nothing is there: in a list of objects all elements have to agree
	found        // it matches with a value that is there: one element is enough
	tooDeep      // the message is nested too deeply
)

// and adds the next field of an object: found when one of them is, and all match.
func (f fate) and(next fate) fate {
	if f == missed || f == tooDeep {
		return f
	}
	if next == absent {
		return f
	}
	return next // found, missed, tooDeep
}

// nothing is what holds when there is no value to look at.
func (f *field) nothing() fate {
	if f.absent {
		return absent
	}
	return missed
}

// judged is found or missed.
func judged(matches bool) fate {
	if matches {
		return found
	}
	return missed
}

func (o *object) inMessage(m *bridge.Message) fate {
	all := absent
	for i := 0; i < len(o.fields) && all != missed; i++ {
		all = all.and(o.fields[i].inMessage(m))
	}
	return all
}

func (o *object) inMap(entries []bridge.Entry, depth int) fate {
	all := absent
	for i := 0; i < len(o.fields) && all != missed; i++ {
		f := &o.fields[i]
		all = all.and(f.in(lookup(entries, f.name), depth))
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
		return f.nothing()
	case v.Type() == bridge.ListType:
		return f.inList(v.List(), depth+1)
	case v.Type() == bridge.MapType:
		if f.inner != nil {
			return f.inner.inMap(v.Map(), depth+1)
		}
		return f.nothing() // an object is no leaf
	case f.inner != nil:
		return f.nothing()
	default:
		s := scalarOf(v)
		return judged(f.leaf.matches(&s))
	}
}

// inList looks for one element that matches with a value; without one, nothing may be there in any of them.
func (f *field) inList(values []bridge.Value, depth int) fate {
	if depth > envelope.MaxDepth {
		return tooDeep
	}
	all := f.nothing()
	for i := range values {
		switch one := f.in(&values[i], depth); one {
		case found, tooDeep:
			return one
		case missed:
			all = missed
		}
	}
	return all
}
