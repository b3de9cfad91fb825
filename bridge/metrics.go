package bridge

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// Metrics are the Prometheus metrics of all routes that share them. Labels are route, target, outcome, result and
// error class only: never an id or free text.
//
// For each route, at rest: messages_received_total = the sum of messages_settled_total over outcomes + inflight_messages
// + held_messages. The outcomes are delivered, dead_lettered, dropped, filtered, expired and released (given back).
type Metrics struct {
	received, settled, redeliveries, suppressed, ambiguous, panics, reconnects *prometheus.CounterVec
	requests, failures, throttled, partial, targetDropped, replies             *prometheus.CounterVec
	requestSeconds, endToEnd                                                   *prometheus.HistogramVec

	inflight, inflightBytes, oldest, held, connected, circuit, limit *prometheus.Desc

	mu     sync.Mutex
	routes map[*Route]struct{}
}

// NewMetrics makes the metrics and registers them with reg; nil: they count, but nobody sees them. It panics when reg
// has metrics of the same names already, as prometheus.MustRegister does.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "jmsbridge_" + name, Help: help}, labels)
	}
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("jmsbridge_"+name, help, labels, nil)
	}
	seconds := []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}
	m := &Metrics{
		received:      counter("messages_received_total", "Messages received from the source.", "route"),
		settled:       counter("messages_settled_total", "Messages whose duty ended, by outcome.", "route", "outcome"),
		redeliveries:  counter("redeliveries_total", "Messages that the broker marked as redelivered.", "route"),
		suppressed:    counter("duplicates_suppressed_total", "Redeliveries accepted without sending, for the target had them.", "route"),
		ambiguous:     counter("possible_duplicates_total", "Sends whose outcome is unknown, by target.", "route", "target"),
		panics:        counter("panics_total", "Panics of stages, sources and sinks that were caught.", "route"),
		reconnects:    counter("broker_reconnects_total", "Connections to the broker made after the first.", "route"),
		requests:      counter("target_requests_total", "Calls to the target, by result: ok, partial, or the class of the error.", "route", "target", "result"),
		failures:      counter("target_failures_total", "Failed sends of single messages, by class of error.", "route", "target", "class"),
		throttled:     counter("throttled_total", "Calls that the target throttled.", "route", "target"),
		partial:       counter("partial_batch_failures_total", "Calls in which some messages failed.", "route", "target"),
		targetDropped: counter("target_dropped_total", "Messages that a best-effort target did not get.", "route", "target"),
		replies: counter("replies_total",
			"Answers to requesters, by outcome: sent, fault (sent), late, orphaned, refused, failed, unwanted; forged, duplicate.", "route", "outcome"),
		requestSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "jmsbridge_target_request_duration_seconds", Help: "How long calls to the target took.", Buckets: seconds,
		}, []string{"route", "target"}),
		endToEnd: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "jmsbridge_end_to_end_duration_seconds", Help: "From JMSTimestamp to the target's confirmation.", Buckets: seconds,
		}, []string{"route"}),
		inflight:      desc("inflight_messages", "Messages received and not settled, held ones apart.", "route"),
		inflightBytes: desc("inflight_bytes", "Bytes of the messages in flight.", "route"),
		oldest:        desc("oldest_inflight_seconds", "Age of the oldest message in flight.", "route"),
		held:          desc("held_messages", "Messages that can neither be sent nor settled now.", "route"),
		connected:     desc("broker_connected", "Connections to the broker that stand.", "route"),
		circuit:       desc("circuit_state", "0: the target works; 1: it is down or not connected.", "route", "target"),
		limit:         desc("concurrency_limit", "Calls to the target that may run at once now.", "route", "target"),
		routes:        map[*Route]struct{}{},
	}
	if reg != nil {
		reg.MustRegister(m)
	}
	return m
}

func (m *Metrics) vectors() []prometheus.Collector {
	return []prometheus.Collector{
		m.received, m.settled, m.redeliveries, m.suppressed, m.ambiguous, m.panics, m.reconnects, m.requests, m.failures,
		m.throttled, m.partial, m.targetDropped, m.replies, m.requestSeconds, m.endToEnd,
	}
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, v := range m.vectors() {
		v.Describe(ch)
	}
	for _, d := range []*prometheus.Desc{m.inflight, m.inflightBytes, m.oldest, m.held, m.connected, m.circuit, m.limit} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	for _, v := range m.vectors() {
		v.Collect(ch)
	}
	m.mu.Lock()
	routes := make([]*Route, 0, len(m.routes))
	for r := range m.routes {
		routes = append(routes, r)
	}
	m.mu.Unlock()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	now := time.Now()
	for _, r := range routes {
		name := r.set.Name
		count, held, bytes, oldest := r.window.size()
		age := 0.0
		if !oldest.IsZero() {
			age = now.Sub(oldest).Seconds()
		}
		gauge(m.inflight, float64(count), name)
		gauge(m.inflightBytes, float64(bytes), name)
		gauge(m.oldest, age, name)
		gauge(m.held, float64(held), name)
		gauge(m.connected, float64(r.standing()), name)
		for _, p := range r.pipes {
			h := p.health()
			open := 0.0
			if !h.works {
				open = 1
			}
			gauge(m.circuit, open, name, p.name)
			gauge(m.limit, float64(h.calls), name, p.name)
		}
	}
}

// routeMetrics are the metrics of one route, looked up once.
type routeMetrics struct {
	all                                                           *Metrics
	name                                                          string
	received, redeliveries, suppressed, panics, reconnects        prometheus.Counter
	delivered, deadLettered, dropped, filtered, expired, released prometheus.Counter
	ended                                                         [endDeadLettered + 1]prometheus.Counter
	endToEnd                                                      prometheus.Observer
	replies                                                       replyMetrics // of a route that answers
}

// replyMetrics count what becomes of answers.
type replyMetrics struct{ sent, faults, late, orphaned, refused, failed, unwanted prometheus.Counter }

func (m *replyMetrics) counters() ReplyCounters {
	return ReplyCounters{
		Sent: read(m.sent), Faults: read(m.faults), Late: read(m.late), Orphaned: read(m.orphaned), Refused: read(m.refused),
		Failed: read(m.failed), Unwanted: read(m.unwanted),
	}
}

// observe notes how long a delivered message has been on its way.
func (m *routeMetrics) observe(msg *Message, now time.Time) {
	if !msg.Timestamp.IsZero() {
		m.endToEnd.Observe(max(now.Sub(msg.Timestamp).Seconds(), 0))
	}
}

func (m *Metrics) route(name string, replies bool) *routeMetrics {
	settled := func(outcome string) prometheus.Counter { return m.settled.WithLabelValues(name, outcome) }
	answered := func(outcome string) prometheus.Counter { return m.replies.WithLabelValues(name, outcome) }
	rm := &routeMetrics{
		all: m, name: name,
		received: m.received.WithLabelValues(name), redeliveries: m.redeliveries.WithLabelValues(name),
		suppressed: m.suppressed.WithLabelValues(name), panics: m.panics.WithLabelValues(name),
		reconnects: m.reconnects.WithLabelValues(name),
		delivered:  settled("delivered"), deadLettered: settled("dead_lettered"), dropped: settled("dropped"),
		filtered: settled("filtered"), expired: settled("expired"), released: settled("released"),
		endToEnd: m.endToEnd.WithLabelValues(name),
	}
	if replies {
		rm.replies = replyMetrics{
			sent: answered("sent"), faults: answered("fault"), late: answered("late"), orphaned: answered("orphaned"),
			refused: answered("refused"), failed: answered("failed"), unwanted: answered("unwanted"),
		}
	}
	rm.ended = [...]prometheus.Counter{
		endFiltered: rm.filtered, endDelivered: rm.delivered, endExpired: rm.expired, endDropped: rm.dropped, endDeadLettered: rm.deadLettered,
	}
	return rm
}

// CountReply counts an answer of a route whose answers come over a queue, by what became of it ("late", "orphaned",
// "forged", "duplicate"). A nil Metrics counts nothing.
func (m *Metrics) CountReply(route, outcome string) {
	if m != nil {
		m.replies.WithLabelValues(route, outcome).Inc()
	}
}

func (m *Metrics) attach(r *Route) {
	m.mu.Lock()
	m.routes[r] = struct{}{}
	m.mu.Unlock()
}

func (m *Metrics) detach(r *Route) {
	m.mu.Lock()
	delete(m.routes, r)
	m.mu.Unlock()
}

// targetMetrics are those of one pipeline.
type targetMetrics struct {
	ok, partial, throttled, ambiguous, partials prometheus.Counter
	dropped                                     prometheus.Counter // of a best-effort target
	byClass, failures                           [Ambiguous + 1]prometheus.Counter
	seconds                                     prometheus.Observer
}

func (m *routeMetrics) target(name string, bestEffort bool) *targetMetrics {
	t := &targetMetrics{
		ok:        m.all.requests.WithLabelValues(m.name, name, "ok"),
		partial:   m.all.requests.WithLabelValues(m.name, name, "partial"),
		throttled: m.all.throttled.WithLabelValues(m.name, name),
		ambiguous: m.all.ambiguous.WithLabelValues(m.name, name),
		partials:  m.all.partial.WithLabelValues(m.name, name),
		seconds:   m.all.requestSeconds.WithLabelValues(m.name, name),
	}
	if bestEffort {
		t.dropped = m.all.targetDropped.WithLabelValues(m.name, name)
	}
	for c := Transient; c <= Ambiguous; c++ {
		t.byClass[c] = m.all.requests.WithLabelValues(m.name, name, c.String())
		t.failures[c] = m.all.failures.WithLabelValues(m.name, name, c.String())
	}
	return t
}

// call counts a call as a whole.
func (t *targetMetrics) call(c *call, confirmed int) {
	t.seconds.Observe(c.took.Seconds())
	switch {
	case c.err != nil:
		class := ClassOf(c.err)
		t.byClass[class].Inc()
		if class == Throttled {
			t.throttled.Inc()
		}
	case confirmed == len(c.items):
		t.ok.Inc()
	default:
		t.partial.Inc()
		t.partials.Inc()
	}
}

// failure counts a message that was not confirmed.
func (t *targetMetrics) failure(c Class) {
	t.failures[c].Inc()
	if c == Ambiguous {
		t.ambiguous.Inc()
	}
}

// counters reads the route's counters back.
func (m *routeMetrics) counters() Counters {
	return Counters{
		Received: read(m.received), Delivered: read(m.delivered), DeadLettered: read(m.deadLettered),
		Dropped: read(m.dropped), Filtered: read(m.filtered), Expired: read(m.expired), Released: read(m.released),
		Suppressed: read(m.suppressed),
	}
}

func read(c prometheus.Counter) uint64 {
	var out dto.Metric
	if err := c.Write(&out); err != nil {
		return 0
	}
	return uint64(out.GetCounter().GetValue())
}
