package connectors

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/config"
)

// describeRoute says what a route is, from its configuration alone.
func describeRoute(r *config.Route) RouteReport {
	return RouteReport{
		Name: r.Name, Enabled: r.Enabled, From: describeSource(&r.From), To: describeTargets(r), Reply: describeReply(r),
		DeadLetter: describeDeadLetter(r.DeadLetter), Settles: describeSettling(r, ""), Order: describeOrder(r),
	}
}

func describeSource(from *config.From) string {
	s := from.JMS
	if s == nil {
		text := "SQS " + from.SQS.Queue
		if from.SQS.Consumers > 1 {
			text += fmt.Sprintf(", %d consumers", from.SQS.Consumers)
		}
		return text
	}
	text := "queue " + s.Queue
	switch {
	case s.Subscription != "":
		text = "subscription " + s.Subscription + " of topic " + s.Topic
	case s.Topic != "":
		text = "topic " + s.Topic
	}
	text += " of " + s.Broker
	if s.Selector != "" {
		text += " where " + s.Selector
	}
	if s.Consumers > 1 {
		text += fmt.Sprintf(", %d consumers", s.Consumers)
	}
	return text
}

func describeTargets(r *config.Route) string {
	all := make([]string, len(r.To))
	for i := range r.To {
		all[i] = describeTarget(&r.To[i])
		if !r.To[i].Required {
			all[i] += " (best effort)"
		}
	}
	return strings.Join(all, ", ")
}

// describeReply says how requesters are answered.
func describeReply(r *config.Route) string {
	p := r.Reply
	switch {
	case p == nil:
		return ""
	case p.From.Call:
		return "the target's result, to JMSReplyTo, within " + p.Timeout.String()
	case p.From.SQS != nil:
		return "answers from SQS " + p.From.SQS.Queue + ", to JMSReplyTo, within " + p.Timeout.String()
	default:
		return "answers from broker " + p.From.JMS.Broker + ", to ReplyTo, within " + p.Timeout.String()
	}
}

func describeTarget(t *config.Target) string {
	switch {
	case t.Lambda != nil:
		return "Lambda " + t.Lambda.Function
	case t.EventBridge != nil:
		return "EventBridge " + string(t.EventBridge.Bus)
	case t.SQS != nil:
		return "SQS " + t.SQS.Queue
	case t.JMS != nil && t.JMS.Queue != "":
		return "queue " + string(t.JMS.Queue) + " of " + t.JMS.Broker
	case t.JMS != nil:
		return "topic " + string(t.JMS.Topic) + " of " + t.JMS.Broker
	case t.File.Path == "-":
		return "standard output"
	default:
		return "file " + t.File.Path
	}
}

func describeDeadLetter(d *config.DeadLetter) string {
	switch {
	case d == nil:
		return "none"
	case d.Drop:
		return "drop"
	default:
		return describeTarget(&config.Target{SQS: d.SQS, JMS: d.JMS})
	}
}

// The broker kinds, as they begin the name of a peer.
const (
	classic = "ActiveMQ Classic"
	artemis = "ActiveMQ Artemis"
)

// describeSettling says how messages are settled at a broker, once its kind is known.
func describeSettling(r *config.Route, peer string) string {
	if r.From.JMS == nil {
		return "each message by deleting it, after its target or dead letter has confirmed it; its visibility is extended until then"
	}
	how := "each message by an ACK of its own (client-individual), after its target or dead letter has confirmed it"
	cumulative := r.From.JMS.Acknowledge == config.AcknowledgeCumulative
	if cumulative && !strings.HasPrefix(peer, artemis) {
		how = "finished prefixes by one ACK (client), after target or dead letter have confirmed every message of them"
	}
	switch {
	case strings.HasPrefix(peer, classic):
		return how + "; given back by UNSUBSCRIBE, flagged redelivered and not counted; never NACK"
	case strings.HasPrefix(peer, artemis):
		return how + "; given back by UNSUBSCRIBE, neither flagged nor counted; never NACK, which Artemis takes for an ACK"
	default:
		return how
	}
}

func describeOrder(r *config.Route) string {
	group := anyGroup(r)
	switch {
	case r.Order == config.OrderStrict:
		return "strict: the order of first deliveries over the whole source, through retries and lost connections"
	case r.Order == config.OrderGroup && group != "":
		return "group: the order of first deliveries within JMSXGroupID, else " + string(group)
	case r.Order == config.OrderGroup:
		return "group: the order of first deliveries within JMSXGroupID"
	case group != "":
		return "none; groups for the target are JMSXGroupID, else " + string(group)
	default:
		return "none"
	}
}

// anyGroup is the template of the first target that has one; "" when none has.
func anyGroup(r *config.Route) config.Template {
	for i := range r.To {
		if group := r.GroupTemplate(&r.To[i]); group != "" {
			return group
		}
	}
	return ""
}

// toFIFO tells whether a route sends to a FIFO queue.
func toFIFO(r *config.Route) bool {
	return slices.ContainsFunc(r.To, func(t config.Target) bool { return t.SQS != nil && strings.HasSuffix(t.SQS.Queue, ".fifo") })
}

// describeCost says how fast an ordered route can be: a lane has one call in flight with up to run messages.
func describeCost(r *config.Route, run int, latency time.Duration) string {
	if r.Order != config.OrderGroup && r.Order != config.OrderStrict {
		return ""
	}
	lanes, each := "groups × ", " for each group"
	if r.Order == config.OrderStrict {
		lanes, each = "", ""
	}
	formula := fmt.Sprintf("%s%d ÷ the time of a call", lanes, run)
	if latency <= 0 {
		return "at most " + formula
	}
	rate := float64(run) / latency.Seconds()
	return fmt.Sprintf("at most %s; a small call took %s just now: %s messages a second%s", formula, printLatency(latency), printRate(rate), each)
}

func printLatency(d time.Duration) string {
	if d < 10*time.Millisecond {
		return d.Round(10 * time.Microsecond).String()
	}
	return d.Round(time.Millisecond).String()
}

func printRate(rate float64) string {
	if rate < 10 {
		return fmt.Sprintf("%.1f", rate)
	}
	return fmt.Sprintf("%.0f", rate)
}

// judge completes the report of a route by what was found at its ends.
func (report *RouteReport) judge(r *config.Route, ends []*end) {
	source := ends[0]
	report.Settles = describeSettling(r, source.report.Peer)
	run, slowest := 0, time.Duration(0)
	for _, e := range ends {
		if e.sink != nil && e.report.Error == "" {
			if n := max(1, e.sink.Limits().Run); run == 0 || n < run {
				run = n
			}
			slowest = max(slowest, e.report.RoundTrip)
		}
	}
	report.Cost = describeCost(r, max(run, 1), slowest)
	report.warn(routeWarnings(r, source.report.Peer)...)
	for _, e := range ends {
		if e.sink != nil && r.Order != config.OrderNone && strings.HasPrefix(e.report.Peer, artemis) {
			report.warn(Warning{"order into Artemis holds while the connection to it lasts: what is sent again after a lost one is known as a duplicate, but may stand behind what came later", "make readers tolerate that, or send to Classic or SQS FIFO"})
		}
		for _, w := range e.warnings {
			if !saidAlready(r, w) {
				report.warn(Warning(w))
			}
		}
	}
	for _, e := range ends {
		if e.report.Role == roleDeadLetter && r.From.JMS != nil {
			report.warn(sizeWarnings(r, e)...)
		}
	}
}

// saidAlready tells that a connector's warning is said elsewhere in the report, or does not concern this route: a
// connector knows neither the broker's own entry nor whether the route has or needs a group.
func saidAlready(r *config.Route, w bridge.Warning) bool {
	switch {
	case strings.Contains(w.Remedy, "allow_plaintext"):
		return true
	case strings.Contains(w.Text, "message groups"):
		return anyGroup(r) != "" || r.Order != config.OrderNone || !toFIFO(r)
	default:
		return false
	}
}

func (report *RouteReport) warn(all ...Warning) {
	for _, w := range all {
		w.Text, w.Remedy = sentence(w.Text), sentence(w.Remedy)
		report.Warnings = append(report.Warnings, w)
	}
}

// sentence begins a text with a capital, unless it begins with a key or a name, and ends it with a point.
func sentence(s string) string {
	if s == "" {
		return s
	}
	first, _, _ := strings.Cut(s, " ")
	if !strings.ContainsAny(first, ":_./") {
		s = strings.ToUpper(s[:1]) + s[1:]
	}
	if strings.HasSuffix(s, ".") || strings.HasSuffix(s, `"`) {
		return s
	}
	return s + "."
}

// routeWarnings are the warnings that a route's configuration and the kind of its broker give. What the wire itself
// does, its connector says.
func routeWarnings(r *config.Route, peer string) []Warning {
	var all []Warning
	warn := func(text, remedy string) { all = append(all, Warning{text, remedy}) }
	if !r.Enabled {
		warn("the route is disabled: run moves nothing over it", "write enabled: true")
	}
	switch {
	case r.DeadLetter == nil && r.Expired == config.ExpiredDeadLetter:
		warn("there is no dead_letter: a message that can't be delivered, or that expires, is held at the broker, and when such messages fill half of the credit the route stops",
			"write dead_letter: with an sqs or jms queue")
	case r.DeadLetter == nil:
		warn("there is no dead_letter: a message that can't be delivered is held at the broker, and when such messages fill half of the credit the route stops",
			"write dead_letter: with an sqs or jms queue")
	case r.DeadLetter.JMS != nil && r.DeadLetter.JMS.Topic != "":
		warn("a topic as the dead letter loses what nobody subscribes to", "use a queue")
	case r.DeadLetter.Drop:
		warn("dead_letter: drop loses what can't be delivered; it is only counted", "write dead_letter: with an sqs or jms queue")
	}
	if r.Expired == config.ExpiredDrop {
		warn("expired: drop loses messages whose JMSExpiration passes while they wait; they are only counted", "")
	}
	if r.From.JMS != nil {
		warn("what the broker does not keep can't be delivered: it loses non-persistent messages when it restarts", "send with JMSDeliveryMode PERSISTENT")
	}
	for i := range r.To {
		if !r.To[i].Required {
			warn(fmt.Sprintf("target %s is best effort: what it can't take is dropped, and only counted", TargetNames(r)[i]), "remove required: false where that matters")
		}
	}
	all = append(all, replyWarnings(r)...)
	if toFIFO(r) {
		warn("SQS forgets a deduplication id after 5 minutes: a duplicate after a longer outage is delivered again", "make the reader of the queue idempotent")
	} else {
		warn("a duplicate after a lost connection or a crash is delivered again", "make the reader idempotent, by the message id")
	}
	all = append(all, orderWarnings(r, peer)...)
	return all
}

// replyWarnings say what requesters should know.
func replyWarnings(r *config.Route) []Warning {
	p := r.Reply
	if p == nil {
		return nil
	}
	var all []Warning
	if !p.Once {
		remedy := "make requesters take the first answer"
		if p.From.JMS == nil {
			remedy += ", or write once: true"
		}
		all = append(all, Warning{"a request that comes again after a crash or a lost connection is answered again", remedy})
	}
	if p.From.JMS != nil && p.From.JMS.Queue != "" {
		all = append(all, Warning{
			"answers to a bridge that was killed stay in " + p.From.JMS.Queue + ", and on Classic 200 of them hide all others from the selector",
			"on Classic leave reply.from.jms.queue out; on Artemis look at its depth after a kill",
		})
	}
	if !p.Fault {
		all = append(all, Warning{"a request that fails for good is not answered: its requester waits until its own timeout", "write fault: true"})
	}
	return all
}

// orderWarnings say where the order that a route promises depends on something else.
func orderWarnings(r *config.Route, peer string) []Warning {
	var all []Warning
	warn := func(text, remedy string) { all = append(all, Warning{text, remedy}) }
	grouped := anyGroup(r) != ""
	s := r.From.JMS
	if s == nil {
		return nil
	}
	if r.Order == config.OrderGroup && !grouped && strings.HasPrefix(peer, classic) {
		warn("order: group keeps no order here: Classic does not pass JMSXGroupID on over STOMP, so each message is a group of its own",
			`write group_id: with a property that senders set, such as "${.properties.account}"`)
	}
	if r.Order != config.OrderNone && strings.HasPrefix(peer, classic) {
		warn("Classic keeps no order between persistent and non-persistent messages of a queue", "send all that belongs together in one JMSDeliveryMode")
	}
	if r.Order == config.OrderNone && s.Consumers > 1 && toFIFO(r) {
		warn("several consumers without order: messages reach the FIFO queue in any order", "write order: group and consumers: 1")
	}
	if r.Order == config.OrderGroup && s.Consumers > 1 && !strings.HasPrefix(peer, classic) {
		warn("the order of a group holds while the broker keeps it with one consumer: when one comes or goes, also over a lost connection, groups move and may overtake", "write consumers: 1 where that matters")
	}
	if s.Acknowledge == config.AcknowledgeCumulative && strings.HasPrefix(peer, artemis) {
		warn("acknowledge: cumulative is for Classic: this route settles each message on its own", "write acknowledge: individual")
	}
	if s.Consumers == 1 && s.Exclusive && r.Order == config.OrderNone {
		warn("exclusive: a second replica of the bridge gets nothing while this one lives", "")
	}
	return all
}

// sizeWarnings say what the source lets through and the dead letter does not take.
func sizeWarnings(r *config.Route, deadLetter *end) []Warning {
	number, _, _ := strings.Cut(deadLetter.report.fact("largest message"), " bytes")
	most, err := strconv.ParseInt(number, 10, 64)
	if err != nil || most >= int64(r.From.JMS.MaxBody) {
		return nil
	}
	return []Warning{{
		fmt.Sprintf("the dead letter takes messages of up to %v with their attributes, and the source lets bodies of up to %v through: a larger one that can't be delivered is held at the broker",
			config.Size(most), r.From.JMS.MaxBody),
		"use a jms queue as the dead letter, or raise the queue's MaximumMessageSize",
	}}
}
