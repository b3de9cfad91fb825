package connectors

import (
	"context"

	"github.com/jmsbridge/jmsbridge/bridge"
)

// around is the base of a sink around another one: what the inner one can tell is still told.
type around struct{ bridge.Sink }

// Inspect looks at the inner sink.
func (a around) Inspect(ctx context.Context) (bridge.Inspection, error) {
	if in, ok := a.Sink.(bridge.Inspector); ok {
		return in.Inspect(ctx)
	}
	return bridge.Inspection{}, nil
}

// Remarks are those of the inner sink.
func (a around) Remarks() []string {
	if r, ok := a.Sink.(bridge.Remarker); ok {
		return r.Remarks()
	}
	return nil
}

// Preview is the inner sink's.
func (a around) Preview(o *bridge.Outgoing) (any, error) {
	p, ok := a.Sink.(Previewer)
	if !ok {
		return nil, errNoPreview
	}
	return p.Preview(o)
}
