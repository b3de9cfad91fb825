package config

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

func (v *validator) routes() {
	names := map[string]int{}
	clients := map[[2]string]string{}
	files := map[string]string{}
	for i := range v.config.Routes {
		r := &v.config.Routes[i]
		path := "routes[" + strconv.Itoa(i) + "]"
		v.name(names, r.Name, i, join(path, "name"), "route")
		v.source(r, path)
		v.targets(r, path)
		v.deadLetter(r, path)
		v.order(r, path)
		v.reply(r, path)
		v.clientID(r, clients, path)
		v.file(r, files, path)
		if r.Retry.Min > r.Retry.Max {
			v.add(join(path, "retry.min"), fmt.Sprintf("min (%v) is longer than max (%v)",
				printDuration(r.Retry.Min), printDuration(r.Retry.Max)), "")
		}
		if r.Window.Bytes > v.config.Limits.Memory && v.written(join(path, "window.bytes")) {
			v.add(join(path, "window.bytes"), fmt.Sprintf("%v is more than limits.memory (%v) allows all routes together",
				r.Window.Bytes, v.config.Limits.Memory), "")
		}
	}
}

func (v *validator) source(r *Route, path string) {
	s := r.From.JMS
	switch {
	case r.From.JMS != nil && r.From.SQS != nil:
		v.add(join(path, "from"), "a route has one source: jms or sqs", "write a second route")
		return
	case r.From.SQS != nil:
		v.sqsSource(r, join(path, "from.sqs"))
		return
	case s == nil:
		v.addMissing(join(path, "from"), "a source needs one of jms and sqs")
		return
	}
	path = join(path, "from.jms")
	v.broker(s.Broker, path)
	v.destination(s.Queue, s.Topic, path)
	if s.Topic == "" && s.Subscription != "" {
		v.add(join(path, "subscription"), "a durable subscription needs a topic", "a queue keeps its messages without one")
	}
	v.clientName(s.ClientID, join(path, "client_id"))
	v.subscriptionName(s.Subscription, join(path, "subscription"))
	if s.Topic != "" && s.Consumers > 1 {
		v.add(join(path, "consumers"), "a topic takes one consumer: each connection would get every message", "write consumers: 1")
	}
	if s.ClientID != "" && s.Consumers > 1 {
		v.add(join(path, "client_id"), "one client id is for one connection, and consumers asks for more", "leave client_id out, or write consumers: 1")
	}
	if s.Acknowledge == AcknowledgeCumulative && s.Topic != "" && s.Subscription == "" {
		v.add(join(path, "acknowledge"), "cumulative acknowledgement is for queues and durable subscriptions", "write acknowledge: individual")
	}
	if s.PrefetchBytes > 0 && s.PrefetchBytes < KiB {
		v.add(join(path, "prefetch_bytes"), fmt.Sprintf("%v is not between 1KiB and 1GiB", s.PrefetchBytes), "0B: as prefetch needs")
	}
	if s.PrefetchBytes > r.Window.Bytes && v.written(join(path, "prefetch_bytes")) {
		v.add(join(path, "prefetch_bytes"), fmt.Sprintf("%v is more than the route's window.bytes (%v)", s.PrefetchBytes, r.Window.Bytes), "")
	}
}

// written tells that a key stands in the file: a default is no contradiction to what the file says elsewhere.
func (v *validator) written(path string) bool {
	_, ok := v.tree.at[path]
	return ok
}

// broker checks that a broker is known.
func (v *validator) broker(name, path string) {
	if name == "" || v.config.Broker(name) != nil {
		return
	}
	if v.broken["brokers"] {
		return // which is reported
	}
	var names []string
	for _, b := range v.config.Brokers {
		if b.Name == "" {
			return // it may be the one that is meant, and its mistake is reported
		}
		names = append(names, b.Name)
	}
	hint := "there are no brokers"
	if near := nearest(name, names); near != "" {
		hint = fmt.Sprintf("did you mean %q?", near)
	} else if len(names) > 0 {
		hint = "known: " + strings.Join(names, ", ")
	}
	v.add(join(path, "broker"), fmt.Sprintf("no broker is named %q", name), hint)
}

// destination checks that exactly one of queue and topic is set.
func (v *validator) destination(queue, topic, path string) {
	switch {
	case queue == "" && topic == "":
		if !v.broken[join(path, "topic")] {
			v.add(join(path, "queue"), "a queue or a topic is required", "")
		}
	case queue != "" && topic != "":
		v.add(join(path, "topic"), "there are both a queue and a topic", "write one of them")
	}
	for _, d := range [...]struct{ key, name string }{{"queue", queue}, {"topic", topic}} {
		key, name := d.key, d.name
		if strings.HasPrefix(name, "/") || strings.Contains(name, "://") {
			v.add(join(path, key), fmt.Sprintf("%q is spelled with a prefix of the wire", name), "write the bare name, such as orders")
		} else if strings.ContainsFunc(name, isControl) {
			v.add(join(path, key), fmt.Sprintf("%q holds a control character", name), "")
		}
	}
}

// maxTargets bounds the targets of a route.
const maxTargets = 16

func (v *validator) targets(r *Route, path string) {
	names, required := map[string]int{}, 0
	for i := range r.To {
		here := join(path, "to") + "[" + strconv.Itoa(i) + "]"
		t := &r.To[i]
		switch countSet(t.SQS != nil, t.JMS != nil, t.Lambda != nil, t.EventBridge != nil, t.File != nil) {
		case 0:
			v.addMissing(here, "a target needs one of sqs, jms, lambda, eventbridge and file")
		case 1:
		default:
			v.add(here, "a target has one of sqs, jms, lambda, eventbridge and file", "write each target as an entry of its own")
		}
		v.targetName(names, t, i, here)
		if t.Required {
			required++
		}
		if t.Retry != nil && t.Retry.Min > t.Retry.Max {
			v.add(join(here, "retry.min"), fmt.Sprintf("min (%v) is longer than max (%v)", printDuration(t.Retry.Min), printDuration(t.Retry.Max)), "")
		}
		v.target(r, t, here)
	}
	if len(r.To) > maxTargets {
		v.add(join(path, "to"), fmt.Sprintf("%d targets are more than %d", len(r.To), maxTargets), "")
	}
	if len(r.To) > 0 && required == 0 {
		v.add(join(path, "to"), "no target is required: messages would be accepted wherever they go", "leave required out on at least one")
	}
}

// targetName checks a target's own name.
func (v *validator) targetName(seen map[string]int, t *Target, i int, path string) {
	if t.Name == "" {
		return
	}
	if before, twice := seen[t.Name]; twice {
		v.add(join(path, "name"), fmt.Sprintf("a second target named %q", t.Name), fmt.Sprintf("the first is to[%d]", before))
		return
	}
	seen[t.Name] = i
	if !isName(t.Name) || t.Name == "dead_letter" || t.Name == "reply" {
		v.add(join(path, "name"), fmt.Sprintf("%q is no name of a target", t.Name), "use up to 64 letters, digits, - _ and ., beginning with a letter or digit; not dead_letter or reply")
	}
}

func (v *validator) target(r *Route, t *Target, path string) {
	switch {
	case t.SQS != nil:
		v.sqs(t.SQS, join(path, "sqs"))
		if s := r.From.SQS; s != nil && s.Queue != "" && s.Queue == t.SQS.Queue {
			v.add(join(path, "sqs.queue"), "the route would feed itself: its target is its source", "use another queue")
		}
	case t.JMS != nil:
		v.jms(t.JMS, join(path, "jms"))
		v.noLoop(r, t.JMS, join(path, "jms"), "the route would feed itself: its target is its source")
	case t.Lambda != nil:
		v.lambda(r, t.Lambda, join(path, "lambda"))
	case t.EventBridge != nil:
		v.eventBridge(r, t.EventBridge, join(path, "eventbridge"))
	}
}

// addMissing adds a problem about keys of a block that are missing, unless a mistake explains one of them.
func (v *validator) addMissing(path, text string) {
	if !v.brokenBelow(path) {
		v.add(path, text, "")
	}
}

func countSet(flags ...bool) (n int) {
	for _, f := range flags {
		if f {
			n++
		}
	}
	return n
}

func (v *validator) sqs(s *SQSTarget, path string) {
	if s.Queue != "" {
		if strings.Contains(s.Queue, "${.") {
			v.add(join(path, "queue"), "a queue chosen by a template is not supported yet", "write its name, URL or ARN")
		} else if err := checkSQSQueue(s.Queue); err != nil {
			v.add(join(path, "queue"), err.Error(), "")
		}
	}
	seen := map[string]bool{}
	for i, name := range s.Attributes {
		if name == "" || seen[name] {
			v.add(join(path, "attributes")+"["+strconv.Itoa(i)+"]", fmt.Sprintf("%q stands here twice or is empty", name), "")
		}
		seen[name] = true
	}
}

func (v *validator) jms(t *JMSTarget, path string) {
	v.broker(t.Broker, path)
	v.destination(string(t.Queue), string(t.Topic), path)
	templated := !t.Queue.IsLiteral() || !t.Topic.IsLiteral()
	switch {
	case templated && len(t.Allow) == 0:
		v.add(join(path, "allow"), "a destination that a template makes needs allow", `list the names it may make, such as allow: ["ORDERS.*"]`)
	case !templated && len(t.Allow) > 0:
		v.add(join(path, "allow"), "allow is for a queue or topic that a template makes", "leave it out")
	case !templated && strings.ContainsAny(string(t.Queue)+string(t.Topic), ",*>#?"):
		v.add(join(path, "queue"), fmt.Sprintf("%q is not one destination: it holds one of , * > # ?", string(t.Queue)+string(t.Topic)), "")
	}
}

// expression checks a jq program.
func (v *validator) expression(e Expression, path string) {
	if e == "" || v.refs.jq == nil {
		return
	}
	if err := v.refs.jq(string(e)); err != nil {
		v.add(path, err.Error(), "")
	}
}

// pattern checks an event pattern.
func (v *validator) pattern(p Pattern, path string) {
	if p.Tree == nil || v.refs.pattern == nil {
		return
	}
	for _, problem := range v.refs.pattern(p.Tree) {
		v.add(join(path, problem.Path), problem.Text, problem.Hint)
	}
}

// template checks a template: with the judge of its expressions, or at least its braces.
func (v *validator) template(t Template, path string) {
	if v.refs.template != nil {
		if err := v.refs.template(string(t)); err != nil {
			v.add(path, err.Error(), "")
		}
		return
	}
	rest := strings.ReplaceAll(string(t), "$${", "")
	for {
		_, after, ok := strings.Cut(rest, "${")
		if !ok {
			return
		}
		if !strings.HasPrefix(after, ".") || !strings.Contains(after, "}") {
			v.add(path, "the template's ${ is not followed by .path and }", "write such as \"${.properties.account}\", or $${ for a literal ${")
			return
		}
		rest = after
	}
}

func (v *validator) deadLetter(r *Route, path string) {
	d := r.DeadLetter
	if d == nil {
		return
	}
	path = join(path, "dead_letter")
	switch countSet(d.Drop, d.SQS != nil, d.JMS != nil) {
	case 0:
		v.addMissing(path, "a dead letter needs one of sqs and jms, or is the word drop")
	case 1:
	default:
		v.add(path, "a dead letter has one of sqs and jms", "")
	}
	if d.SQS != nil {
		v.sqs(d.SQS, join(path, "sqs"))
		for i := range r.To {
			if t := r.To[i].SQS; t != nil && t.Queue != "" && t.Queue == d.SQS.Queue {
				v.add(join(path, "sqs.queue"), "the dead letter is the target itself", "use a queue of its own")
			}
		}
		if s := r.From.SQS; s != nil && s.Queue != "" && s.Queue == d.SQS.Queue {
			v.add(join(path, "sqs.queue"), "the dead letter is the route's own source: a bad message would go round for ever", "use another queue")
		}
	}
	if d.JMS != nil {
		v.jms(d.JMS, join(path, "jms"))
		v.noLoop(r, d.JMS, join(path, "jms"), "the dead letter is the route's own source: a bad message would go round for ever")
		for i := range r.To {
			if t := r.To[i].JMS; t != nil && t.Broker == d.JMS.Broker && t.Queue == d.JMS.Queue && t.Topic == d.JMS.Topic {
				v.add(join(path, "jms"), "the dead letter is the target itself", "use a queue of its own")
			}
		}
	}
}

// noLoop refuses a destination that the route's own source consumes.
func (v *validator) noLoop(r *Route, t *JMSTarget, path, text string) {
	s := r.From.JMS
	if s == nil || s.Broker != t.Broker {
		return
	}
	switch {
	case s.Queue != "" && t.Queue != "" && matches(s.Queue, string(t.Queue)):
		v.add(join(path, "queue"), text, "use another queue")
	case s.Topic != "" && t.Topic != "" && matches(s.Topic, string(t.Topic)):
		v.add(join(path, "topic"), text, "use another topic")
	}
}

// matches tells whether a source of that name, which may be composite (a,b) or have wildcards (* one word; > or # the
// rest), consumes the destination name.
func matches(source, name string) bool {
	for pattern := range strings.SplitSeq(source, ",") {
		if matchesWords(strings.Split(strings.TrimSpace(pattern), "."), strings.Split(name, ".")) {
			return true
		}
	}
	return false
}

func matchesWords(pattern, words []string) bool {
	for i, p := range pattern {
		if p == ">" || p == "#" {
			return true
		}
		if i >= len(words) || p != "*" && p != words[i] {
			return false
		}
	}
	return len(pattern) == len(words)
}

func (v *validator) order(r *Route, path string) {
	if r.Order != OrderGroup && r.Order != OrderStrict {
		return
	}
	if s := r.From.JMS; s != nil {
		v.orderedConsumers(r, s, path)
	}
	for i := range r.To {
		t := &r.To[i]
		if t.SQS != nil && t.SQS.Queue != "" && !strings.HasSuffix(t.SQS.Queue, ".fifo") {
			v.add(join(path, "to")+"["+strconv.Itoa(i)+"].sqs.queue",
				fmt.Sprintf("order: %s needs a FIFO queue, for a standard queue keeps no order", r.Order), "use a queue whose name ends in .fifo, or order: none")
		}
		if r.Order == OrderGroup && r.GroupTemplate(t) != "" && r.GroupTemplate(t).IsLiteral() {
			v.add(join(path, "group_id"), fmt.Sprintf("%q is the same for every message, so all would be one group", string(r.GroupTemplate(t))),
				"write a field of the message, such as ${.properties.account}, or order: strict")
		}
		if r.Order == OrderStrict && r.GroupTemplate(t) != "" {
			v.add(join(path, "group_id"), "strict is one group for the whole destination, so group_id has no meaning", "leave it out, or write order: group")
		}
	}
}

// orderedConsumers allows several consumers only where the broker itself keeps each group with one of them.
func (v *validator) orderedConsumers(r *Route, s *JMSSource, path string) {
	grouped := false
	for i := range r.To {
		grouped = grouped || r.GroupTemplate(&r.To[i]) != ""
	}
	if s.Consumers > 1 {
		switch {
		case r.Order == OrderStrict:
			v.add(join(path, "from.jms.consumers"), "order: strict takes one consumer", "write consumers: 1; the sends of one consumer need no second")
		case grouped:
			v.add(join(path, "from.jms.consumers"), "order: group by group_id takes one consumer: the broker spreads such a group over all of them",
				"write consumers: 1, or group by JMSXGroupID alone")
		}
	}
}

// clientID refuses two routes that would connect to one broker under the same JMS client id.
func (v *validator) clientID(r *Route, seen map[[2]string]string, path string) {
	s := r.From.JMS
	if s == nil || !r.Enabled || r.Name == "" {
		return
	}
	key := [2]string{s.Broker, v.config.ClientID(r)}
	if key[1] == "" {
		return
	}
	if other, twice := seen[key]; twice {
		where := join(path, "from.jms.client_id")
		v.add(where, fmt.Sprintf("routes %q and %q would both connect to broker %q as client %q", other, r.Name, s.Broker, key[1]),
			"the broker refuses the second: give each its own client_id")
		return
	}
	seen[key] = r.Name
}

// file refuses two routes that would write to one file, for each locks it.
func (v *validator) file(r *Route, seen map[string]string, path string) {
	for i := range r.To {
		t := r.To[i].File
		if t == nil || t.Path == "" || t.Path == "-" || !r.Enabled {
			continue
		}
		name := filepath.Clean(t.Path)
		if other, twice := seen[name]; twice {
			v.add(join(path, "to")+"["+strconv.Itoa(i)+"].file.path", fmt.Sprintf("route %q writes to %s too", other, name), "give each route a file of its own")
			continue
		}
		seen[name] = r.Name
	}
}
