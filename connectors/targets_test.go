package connectors

import (
	"flag"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jmsbridge/jmsbridge/bridge"
)

var update = flag.Bool("update", false, "write docs/targets.md anew")

const targetsPage = "../docs/targets.md"

// TestWhatArrivesIsThePageOfTheTargets sends each kind of body in each case through a route to each target, writes down
// what arrived, and compares it with docs/targets.md. What it writes it has seen; that nothing was lost or changed
// without a word is judged beside the page, in [trial.judge].
func TestWhatArrivesIsThePageOfTheTargets(t *testing.T) {
	tables := make([]table, len(targets))
	t.Run("targets", func(t *testing.T) {
		for i := range targets {
			t.Run(targets[i].name, func(t *testing.T) {
				t.Parallel()
				tables[i] = startWorld(t).try(t, &targets[i])
			})
		}
	})
	if t.Failed() || slices.ContainsFunc(tables, func(t table) bool { return t.target == nil }) {
		return // the run went wrong, or -run has chosen among the targets
	}
	page := render(tables)
	if *update {
		if err := os.WriteFile(targetsPage, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(targetsPage)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), page); diff != "" {
		t.Errorf("%s (-) is not what arrives (+); go test ./connectors -run Targets -update writes it anew:\n%s", targetsPage, diff)
	}
}

// target is a target of the table, as a user would write it.
type target struct {
	name string
	// yaml is what stands in the route's `to`; OBJECT stands for the setting object, where the target has it.
	yaml string
	read func(*world, *shape) []arrival
	// limit is the most that the service takes of a message of this shape, as arrival.counted counts; 0: there is none.
	limit func(*shape) int
	// padCounts: a property adds to what the service counts.
	padCounts bool
	// base64 are the bodies that are counted as base64.
	base64 []bridge.BodyKind
	// json: a text that is JSON arrives in another form than others.
	json bool
	// unlike is what may differ from the message that was sent, by the documentation.
	unlike []string
	// says is what the page says about it.
	says string
}

const (
	queueLimit  = 256 << 10     // set for the queue of the test, so that its dead letter takes more
	syncLimit   = 6 << 20       // Lambda quotas: invocation payload, synchronous
	batchLimit  = 1 << 20       // set for the batches of the test
	asyncLimit  = 1 << 20       // and asynchronous
	eventLimit  = 1<<20 - 1<<10 // what reaches the targets of a rule, see docs: EventBridge itself takes 1 MiB
	bodyLimit   = 100 << 20     // what the broker is told to take, as Classic's maxFrameSize
	headerLimit = 10240         // and the longest line of a STOMP header
	triedSize   = 2 << 20       // where there is no limit
)

func limitOf(n int) func(*shape) int { return func(*shape) int { return n } }

func classicLimit(s *shape) int {
	if s.none {
		return headerLimit
	}
	return bodyLimit
}

// bodyOnly is what a body that comes alone leaves open.
var bodyOnly = append([]string{"body type", "element types", "properties"}, headers...)

var (
	base64OfJSON = []bridge.BodyKind{bridge.BytesBody, bridge.ObjectBody}
	base64OfMQ   = []bridge.BodyKind{bridge.TextBody, bridge.BytesBody}
)

var targets = []target{
	{
		name: "sqs, standard queue", yaml: `sqs: {queue: table, OBJECT}`, read: readQueue("table"), limit: limitOf(queueLimit),
		padCounts: true, base64: base64OfJSON, says: "Body, headers and properties as in [What arrives in SQS](sqs.md).",
	},
	{
		name: "sqs, FIFO queue", yaml: `sqs: {queue: table.fifo, OBJECT}`, read: readQueue("table.fifo"), limit: limitOf(queueLimit),
		padCounts: true, base64: base64OfJSON, says: "Body, headers and properties as in [What arrives in SQS](sqs.md).",
	},
	{
		name: "sqs, `body: envelope`", yaml: `sqs: {queue: table, body: envelope, OBJECT}`, read: readQueue("table"), limit: limitOf(queueLimit),
		padCounts: true, base64: base64OfJSON, says: "[The envelope](envelope.md) as the body.",
	},
	{
		name: "lambda, `payload: envelope`", yaml: `lambda: {function: table, OBJECT}`, read: readFunction(parseEnvelope), limit: limitOf(syncLimit),
		padCounts: true, base64: base64OfJSON, says: "[The envelope](envelope.md).",
	},
	{
		name: "lambda, `payload: envelope`, `batch.bytes: 1MiB`", yaml: `lambda: {function: table, batch: {messages: 10, bytes: 1MiB}, OBJECT}`, read: readFunction(parseList), limit: limitOf(batchLimit),
		padCounts: true, base64: base64OfJSON, says: "[The envelope](envelope.md).",
	},
	{
		name: "lambda, `payload: envelope`, `invocation: event`", yaml: `lambda: {function: table, invocation: event, OBJECT}`, read: readFunction(parseEnvelope), limit: limitOf(asyncLimit),
		padCounts: true, base64: base64OfJSON, says: "[The envelope](envelope.md).",
	},
	{
		name: "lambda, `payload: body`, `batch.bytes: 1MiB`", yaml: `lambda: {function: table, payload: body, batch: {bytes: 1MiB}, OBJECT}`, read: readFunction(parseBody), limit: limitOf(batchLimit),
		base64: base64OfJSON, json: true, unlike: bodyOnly, says: "The body as JSON, and nothing else: types of elements, properties and headers are not told.",
	},
	{
		name: "lambda, `payload: aws:mq`", yaml: `lambda: {function: table, payload: "aws:mq", OBJECT}`, read: readFunction(parseMQ), limit: limitOf(syncLimit),
		padCounts: true, base64: base64OfMQ, unlike: []string{"JMSXUserID", "JMSXGroupID", "JMSXGroupSeq", "property types"}, says: mappingSays,
	},
	{
		name: "lambda, `payload: aws:mq`, `batch.bytes: 1MiB`", yaml: `lambda: {function: table, payload: "aws:mq", batch: {messages: 10, bytes: 1MiB}, OBJECT}`, read: readFunction(parseMQ), limit: limitOf(batchLimit),
		padCounts: true, base64: base64OfMQ, unlike: []string{"JMSXUserID", "JMSXGroupID", "JMSXGroupSeq", "property types"}, says: mappingSays,
	},
	{
		name: "eventbridge, `detail: envelope`", yaml: `eventbridge: {bus: table, source: mq.table, detail_type: message, OBJECT}`,
		read: readEvents(parseEnvelope), limit: limitOf(eventLimit), padCounts: true, base64: base64OfJSON, says: "[The envelope](envelope.md) as the detail, seen in an SQS queue behind a rule.",
	},
	{
		name: "eventbridge, `detail: body`", yaml: `eventbridge: {bus: table, source: mq.table, detail_type: message, detail: body, OBJECT}`,
		read: readEvents(parseDetail), limit: limitOf(eventLimit), base64: base64OfJSON, json: true, unlike: append([]string{"escapes"}, bodyOnly...),
		says: "The body as the detail, and nothing else but JMSTimestamp as the event's time, seen in an SQS queue behind a rule.",
	},
	{
		name: "jms, Classic over STOMP", yaml: `jms: {broker: mq, queue: table}`, read: readBroker, limit: classicLimit,
		unlike: []string{"JMSMessageID", "JMSDestination", "JMSXUserID"},
		says:   "Read back by a jmsbridge source; what other consumers see, and what Artemis does, is in [What STOMP carries](stomp.md).",
	},
	{
		name: "file", yaml: `file: {path: FILE, no_sync: true}`, read: readFile, limit: limitOf(0), padCounts: true, base64: base64OfJSON,
		says: "[The envelope](envelope.md), one a line.",
	},
}

const mappingSays = "The event of Lambda's own mapping for Amazon MQ, which has no place for some headers and knows properties as strings only."
