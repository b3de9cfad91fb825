package stomp

import (
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp/client"
)

// strays logs the ERROR frames of a connection that answer nothing: one line a while, with how many there were, because
// a text may hold a hundred thousand of what looks like them.
type strays struct {
	mu     sync.Mutex
	logged time.Time
	unsaid int
}

// strayEvery is how often such a frame is logged.
const strayEvery = 10 * time.Second

func (s *strays) note(log *zap.Logger, broker string, e *client.ServerError) {
	s.mu.Lock()
	now := time.Now()
	if !s.logged.IsZero() && now.Sub(s.logged) < strayEvery {
		s.unsaid++
		s.mu.Unlock()
		return
	}
	more := s.unsaid
	s.logged, s.unsaid = now, 0
	s.mu.Unlock()
	log.Warn("the broker answered an error", zap.String(bridge.LogBroker, broker), zap.String(bridge.LogReason, e.Error()),
		zap.Int("others before", more))
}

// end logs how many were not logged.
func (s *strays) end(log *zap.Logger, broker string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unsaid > 0 {
		log.Warn("the broker answered more errors", zap.String(bridge.LogBroker, broker), zap.Int("errors", s.unsaid))
		s.unsaid = 0
	}
}
