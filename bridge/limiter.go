package bridge

import "time"

// limiter adapts how many calls run at once: ×0.7 at most once in 100 ms when the target throttles or a call fails,
// +1/limit for a good call.
type limiter struct {
	now, most float64
	cut       time.Time
}

const (
	cutFactor = 0.7
	cutEvery  = 100 * time.Millisecond
)

func (l *limiter) reset(most int) {
	l.most = float64(max(most, 1))
	if l.now == 0 || l.now > l.most {
		l.now = l.most
	}
}

func (l *limiter) calls() int { return int(l.now) }

func (l *limiter) good() {
	if l.now < l.most {
		l.now = min(l.most, l.now+1/l.now)
	}
}

func (l *limiter) bad(now time.Time) {
	if now.Sub(l.cut) < cutEvery {
		return
	}
	l.cut = now
	l.now = max(1, l.now*cutFactor)
}
