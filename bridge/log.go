package bridge

// The keys of log fields. Messages are constant and lower-case; everything that varies is a field under one of these.
const (
	LogRoute    = "route"
	LogBroker   = "broker"
	LogEndpoint = "endpoint"
	LogTarget   = "target"
	LogState    = "state"
	LogReason   = "reason"
	LogRemedy   = "remedy"
	LogClass    = "class"
	LogCode     = "code"
	LogWait     = "wait"
	LogCount    = "count"
	LogFile     = "file"
	LogSource   = "source" // its number in the route, from 1
)
