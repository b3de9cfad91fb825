package jms

import (
	"fmt"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

// failoverOption says what is done with an option of ActiveMQ's failover transport: obeyed, harmless with one value
// because that is what happens here anyway, or refused.
type failoverOption struct {
	allowed string // the one value that is what happens here; "": none
	why     string // why other values are refused
}

// failoverKnown are the options of ActiveMQ's failover transport. Only randomize changes anything here.
var failoverKnown = map[string]failoverOption{
	"randomize":                        {},
	"maxReconnectAttempts":             {"-1", "jmsbridge reconnects for as long as it runs"},
	"startupMaxReconnectAttempts":      {"-1", "jmsbridge reconnects for as long as it runs"},
	"useExponentialBackOff":            {"true", "jmsbridge waits with its own jittered backoff, up to 30 s"},
	"initialReconnectDelay":            {"", "jmsbridge waits with its own jittered backoff, up to 30 s"},
	"maxReconnectDelay":                {"30000", "jmsbridge waits with its own jittered backoff, up to 30 s"},
	"reconnectDelayExponent":           {"2.0", "jmsbridge waits with its own jittered backoff, up to 30 s"},
	"backOffMultiplier":                {"2.0", "jmsbridge waits with its own jittered backoff, up to 30 s"},
	"timeout":                          {"-1", "jmsbridge bounds each step with its own deadlines"},
	"reconnectSupported":               {"true", "jmsbridge always reconnects"},
	"trackMessages":                    {"false", "jmsbridge settles a message only after its target has it, and the broker keeps it until then"},
	"trackTransactionProducers":        {"false", "jmsbridge uses no transactions"},
	"maxCacheSize":                     {"", "jmsbridge keeps no cache of sent messages"},
	"backup":                           {"false", "jmsbridge keeps no second connection in reserve"},
	"backupPoolSize":                   {"", "jmsbridge keeps no second connection in reserve"},
	"priorityBackup":                   {"false", "jmsbridge stays on the endpoint it has reached"},
	"priorityURIs":                     {"", "jmsbridge stays on the endpoint it has reached; with randomize=false it tries the first one first"},
	"updateURIsSupported":              {"false", "jmsbridge connects only to the endpoints that are written down"},
	"updateURIsURL":                    {"", "jmsbridge connects only to the endpoints that are written down"},
	"rebalanceUpdateURIs":              {"false", "jmsbridge connects only to the endpoints that are written down"},
	"warnAfterReconnectAttempts":       {"", "jmsbridge logs each change of state"},
	"randomizeReconnect":               {"", "jmsbridge knows randomize"},
	"maxPublishReconnectAttempts":      {"-1", "jmsbridge reconnects for as long as it runs"},
	"reconnectDelay":                   {"", "jmsbridge waits with its own jittered backoff, up to 30 s"},
	"jms.prefetchPolicy.all":           {"", "write prefetch: on the route"},
	"jms.prefetchPolicy.queuePrefetch": {"", "write prefetch: on the route"},
	"jms.userName":                     {"", "write username: on the broker"},
	"jms.password":                     {"", "write password: on the broker"},
	"jms.clientID":                     {"", "write client_id: on the broker"},
}

// failoverOptions obeys or refuses the options of a failover URL. It returns whether attempts begin at a random
// endpoint: ActiveMQ's default is true.
func failoverOptions(query string) (random bool, err error) {
	random = true
	if query == "" {
		return random, nil
	}
	for _, option := range strings.Split(query, "&") {
		name, value, _ := strings.Cut(option, "=")
		known, ok := failoverKnown[name]
		switch {
		case strings.HasPrefix(name, "nested."):
			return false, fmt.Errorf("failover option %q is not known here: jmsbridge passes no options to the endpoints; remove it", name)
		case !ok:
			return false, fmt.Errorf("failover option %q is not known; the nearest known one is %q", name, nearest(name, failoverNames()))
		case name == "randomize":
			if value != "true" && value != "false" {
				return false, fmt.Errorf("failover option randomize is %q; it is true or false", value)
			}
			random = value == "true"
		case known.allowed == "" || value != known.allowed:
			if known.allowed != "" {
				return false, fmt.Errorf("failover option %s=%s is refused: %s; remove it, or write %s=%s", name, redactOption(name, value), known.why, name, known.allowed)
			}
			return false, fmt.Errorf("failover option %s is refused: %s; remove it", name, known.why)
		}
	}
	return random, nil
}

func redactOption(name, value string) string {
	if strings.Contains(strings.ToLower(name), "pass") {
		return "[REDACTED]"
	}
	return value
}

func failoverNames() []string {
	names := make([]string, 0, len(failoverKnown))
	for name := range failoverKnown {
		names = append(names, name)
	}
	return names
}

// nearest returns the candidate with the smallest edit distance to s, ignoring case; of two alike the first by name.
func nearest(s string, candidates []string) string {
	slices.Sort(candidates)
	s = strings.ToLower(s[:min(len(s), 64)]) // what is longer is nobody's typing error
	best, at := -1, ""
	for _, c := range candidates {
		if d := levenshtein.ComputeDistance(s, strings.ToLower(c)); best < 0 || d < best {
			best, at = d, c
		}
	}
	return at
}
