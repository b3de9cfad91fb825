package connectors

import (
	"slices"
	"strings"
	"testing"

	"github.com/jmsbridge/jmsbridge/bridge"
)

// table is what a run saw of a target.
type table struct {
	target *target
	rows   []row
}

// row is a shape's fate in each case.
type row struct {
	shape *shape
	cells [len(cases)]fate
}

// cases are the columns. atLimit is the place of one.
var cases = [...]string{"small", "at the limit", "over the limit", "hostile characters", "half a surrogate pair"}

const atLimit = 1

// try sends every shape in every case to a target.
func (w *world) try(t *testing.T, target *target) table {
	t.Helper()
	out := table{target: target}
	var plain *trial
	for i := range shapes {
		s := &shapes[i]
		if s.object != "" && !strings.Contains(target.yaml, "OBJECT") || s.json && !target.json {
			continue
		}
		if plain == nil || s.object != "" {
			plain.conserved()
			plain = w.start(t, target, s.object)
		}
		small := plain.send(s, s.small(w.ids.id()))
		at, over := plain.sized(s)
		cells := [...]fate{small, at, over, plain.send(s, s.hostile(w.ids.id())), plain.send(s, s.broken(w.ids.id()))}
		out.rows = append(out.rows, row{s, cells})
	}
	plain.conserved()
	return out
}

// sized sends the largest message of a shape that the service takes, and one that is larger by the least there is.
// What it has to be is worked out from what the service counted of a smaller one.
func (tr *trial) sized(s *shape) (at, over fate) {
	tr.t.Helper()
	const filling, pad = 300, 10
	limit := tr.target.limit(s)
	if s.none && !tr.target.padCounts && limit != headerLimit {
		return fate{}, fate{} // it has no size
	}
	probe := tr.send(s, tr.large(s, filling, pad))
	if probe.arrived == nil {
		return probe, probe // whatever its size
	}
	if limit == 0 {
		return tr.send(s, tr.large(s, triedSize, pad)), fate{}
	}
	body, rest, exact := tr.target.fit(s, limit-probe.arrived.counted)
	body, rest = filling+body, pad+rest
	at = tr.send(s, tr.large(s, body, rest))
	if n := countOf(at); n > limit || n <= limit-4 || exact && n != limit {
		tr.t.Errorf("%s: the largest message has %d bytes, and the service takes %d: %+v", s.name, n, limit, at)
	}
	if s.none || tr.target.padCounts {
		rest++
	} else {
		body++
	}
	if over = tr.send(s, tr.large(s, body, rest)); over.arrived != nil {
		tr.t.Errorf("%s: %d bytes arrived, and the service takes %d", s.name, countOf(over), limit)
	}
	return at, over
}

// fit tells by how much filling and pad have to grow for the service to count so many bytes more. exact: they can.
func (t *target) fit(s *shape, more int) (filling, pad int, exact bool) {
	switch {
	case s.none:
		return 0, more, true
	case !slices.Contains(t.base64, s.body("").Kind()):
		return more, 0, true
	case t.padCounts:
		return more / 4 * 3, more % 4, true
	default:
		return more / 4 * 3, 0, more%4 == 0
	}
}

// large makes a message with a filling and a pad of some lengths, which share the memory of all.
func (tr *trial) large(s *shape, filling, pad int) bridge.Message {
	if n := max(filling, pad); n > len(tr.filler) {
		tr.filler = strings.Repeat("x", n+1)
	}
	return s.sized(tr.ids.id(), tr.filler[:filling], tr.filler[:pad])
}

func countOf(f fate) int {
	if f.arrived == nil {
		return 0
	}
	return f.arrived.counted
}
