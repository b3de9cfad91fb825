package bridge

import "iter"

// Properties are the properties of a message: names, unique and case-sensitive, with their exact JMS types. The zero
// Properties are empty. They are never changed; With returns a copy.
type Properties struct {
	entries []Entry
}

// NewProperties returns properties that own entries from now on. Names must be unique.
func NewProperties(entries []Entry) Properties { return Properties{entries: entries} }

// Len returns the number of properties.
func (p Properties) Len() int { return len(p.entries) }

// All ranges over the properties in the order in which the wire had them.
func (p Properties) All() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		for i := range p.entries {
			if !yield(p.entries[i].Name, p.entries[i].Value) {
				return
			}
		}
	}
}

// Lookup returns the value of a property and whether it is there.
func (p Properties) Lookup(name string) (Value, bool) {
	for i := range p.entries {
		if p.entries[i].Name == name {
			return p.entries[i].Value, true
		}
	}
	return Value{}, false
}

// With returns a copy in which name has the given value.
func (p Properties) With(name string, v Value) Properties {
	out := make([]Entry, 0, len(p.entries)+1)
	for _, e := range p.entries {
		if e.Name != name {
			out = append(out, e)
		}
	}
	return Properties{entries: append(out, Entry{Name: name, Value: v})}
}

// Equal tells whether both have the same names, types and values, in whatever order.
func (p Properties) Equal(o Properties) bool { return equalEntries(p.entries, o.entries) }
