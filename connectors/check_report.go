package connectors

import "time"

// Report is what [Check] found.
type Report struct {
	File    string         `json:"file"`
	Brokers []BrokerReport `json:"brokers"`
	Routes  []RouteReport  `json:"routes"`
	// Refused says what is wrong with the configuration that only the connectors could tell; "" when nothing is.
	Refused string `json:"refused,omitempty"`
}

// BrokerReport is what was found about a configured broker.
type BrokerReport struct {
	Name string `json:"name"`
	URL  string `json:"url"`
	Found
	Warnings []Warning `json:"warnings,omitempty"`
}

// RouteReport is what was found about a route.
type RouteReport struct {
	Name    string `json:"name"`
	Enabled bool   `json:"enabled"`
	From    string `json:"from"`
	To      string `json:"to"`
	// DeadLetter is what takes undeliverable messages, "drop", or "none".
	DeadLetter string `json:"dead_letter"`
	// Settles says how the route settles at its broker, Order what order it keeps, and Cost what that allows.
	Settles string `json:"settles"`
	Order   string `json:"order"`
	Cost    string `json:"order_cost,omitempty"`
	// Reply says how requesters are answered; "" when they are not.
	Reply string `json:"reply,omitempty"`
	// Ends are the source, the targets, the dead letter, and what replies need, in this order.
	Ends     []EndReport `json:"ends,omitempty"`
	Warnings []Warning   `json:"warnings,omitempty"`
}

// EndReport is what was found at one end of a route.
type EndReport struct {
	// Role is "source", "target", "target NAME" where there are several, "dead letter", "reply queue", "reply dead letter"
	// or "store".
	Role string `json:"role"`
	Name string `json:"name"`
	Found
	// RoundTrip is how long a small call to the target takes; 0 when that is not known.
	RoundTrip time.Duration `json:"round_trip_ns,omitempty"`
}

// Found is what looking at one end gave.
type Found struct {
	// Peer names the other end and its version; "" when it could not be reached.
	Peer  string `json:"peer,omitempty"`
	Facts []Fact `json:"facts,omitempty"`
	// Error says why the end can't be used now; "" when it can. Class is the error's class.
	Error string `json:"error,omitempty"`
	Class string `json:"class,omitempty"`
	// Took is how long the looking took.
	Took time.Duration `json:"took_ns,omitempty"`
}

// Fact is one thing found.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Warning is what an operator should know before relying on a route.
type Warning struct {
	Text   string `json:"text"`
	Remedy string `json:"remedy,omitempty"`
}

// Errors returns how many ends can't be used now.
func (r *Report) Errors() (n int) {
	for _, b := range r.Brokers {
		if b.Error != "" {
			n++
		}
	}
	for _, route := range r.Routes {
		for _, e := range route.Ends {
			if e.Error != "" {
				n++
			}
		}
	}
	return n
}

// WarningCount returns how many warnings there are.
func (r *Report) WarningCount() (n int) {
	for _, b := range r.Brokers {
		n += len(b.Warnings)
	}
	for _, route := range r.Routes {
		n += len(route.Warnings)
	}
	return n
}
