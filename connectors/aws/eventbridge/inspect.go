package eventbridge

import (
	"context"
	"fmt"

	"github.com/jmsbridge/jmsbridge/bridge"
)

// Inspect looks at the bus. It puts no event.
func (s *Sink) Inspect(ctx context.Context) (bridge.Inspection, error) {
	f, err := s.look(ctx)
	if err != nil {
		return bridge.Inspection{}, fmt.Errorf("looking at event bus %s: %w", s.settings.Bus, err)
	}
	in := bridge.Inspection{
		Peer:  "EventBridge bus " + s.settings.Bus.String(),
		Facts: []bridge.Fact{{Name: "endpoint", Value: f.endpoint.URL}, {Name: "region", Value: f.endpoint.Region}},
	}
	for _, remark := range f.remarks {
		in.Warnings = append(in.Warnings, bridge.Warning{Text: remark, Remedy: "allow events:DescribeEventBus on the bus"})
	}
	if f.bus != nil && f.bus.Arn != nil {
		in.Facts = append(in.Facts, bridge.Fact{Name: "arn", Value: *f.bus.Arn})
	}
	in.Warnings = append(in.Warnings, bridge.Warning{
		Text:   "EventBridge accepts and drops an event that no rule matches",
		Remedy: "give the bus an archive, or a rule that catches everything",
	})
	return in, nil
}
