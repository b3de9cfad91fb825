package eventstest

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
)

func (p *probe) describe(name *string) (*eventbridge.DescribeEventBusOutput, error) {
	return p.events.DescribeEventBus(p.ctx, &eventbridge.DescribeEventBusInput{Name: name})
}

func busChecks() []check {
	return []check{
		{"a bus is described by name and by ARN", func(p *probe) {
			arn := p.bus()
			if !strings.HasPrefix(arn, "arn:aws:events:") || !strings.HasSuffix(arn, ":event-bus/"+p.name) {
				p.errorf("the ARN is %s", arn)
			}
			for _, name := range []string{p.name, arn} {
				out, err := p.describe(&name)
				p.must(err, "describing "+name)
				p.equal("name and ARN", []string{aws.ToString(out.Name), aws.ToString(out.Arn)}, []string{p.name, arn})
			}
		}},
		{"the default bus is always there", func(p *probe) {
			out, err := p.describe(nil)
			p.must(err, "describing it")
			p.equal("name", aws.ToString(out.Name), "default")
		}},
		{"a bus that does not exist is not found", func(p *probe) {
			_, err := p.describe(&p.name)
			p.refused("describing it", err, "ResourceNotFoundException")
		}},
		{"a bus exists once", func(p *probe) {
			p.bus()
			_, err := p.events.CreateEventBus(p.ctx, &eventbridge.CreateEventBusInput{Name: &p.name})
			p.refused("creating it again", err, "ResourceAlreadyExistsException")
		}},
		{"bus names have rules", func(p *probe) {
			for _, name := range []string{"a b", "a/b", "default", "ä"} {
				_, err := p.events.CreateEventBus(p.ctx, &eventbridge.CreateEventBusInput{Name: &name})
				want := "ValidationException"
				if name == "default" {
					want = "ResourceAlreadyExistsException"
				}
				p.refused("creating "+name, err, want)
			}
		}},
		{"a deleted bus is gone, and may be deleted again", func(p *probe) {
			p.bus()
			for range 2 {
				_, err := p.events.DeleteEventBus(p.ctx, &eventbridge.DeleteEventBusInput{Name: &p.name})
				p.must(err, "deleting it")
			}
			_, err := p.describe(&p.name)
			p.refused("describing it", err, "ResourceNotFoundException")
		}},
		{"the default bus is not deleted", func(p *probe) {
			_, err := p.events.DeleteEventBus(p.ctx, &eventbridge.DeleteEventBusInput{Name: aws.String("default")})
			p.refused("deleting it", err, "ValidationException")
		}},
		{"a bus with rules is not deleted", func(p *probe) {
			p.bus()
			p.rule("all", `{"source":["a"]}`)
			_, err := p.events.DeleteEventBus(p.ctx, &eventbridge.DeleteEventBusInput{Name: &p.name})
			p.refused("deleting it", err, "ValidationException")
		}},
	}
}
