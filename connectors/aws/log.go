package aws

import (
	"fmt"

	"github.com/aws/smithy-go/logging"
	"go.uber.org/zap"

	"github.com/jmsbridge/jmsbridge/bridge"
)

// sdkLogger is where the SDK logs to; by itself it would write lines of its own to standard error.
type sdkLogger struct{ log *zap.Logger }

// Logf logs what the SDK says. Its text may hold parts of requests.
func (l sdkLogger) Logf(kind logging.Classification, format string, values ...any) {
	text := zap.String(bridge.LogReason, redactText(fmt.Sprintf(format, values...)))
	if kind == logging.Warn {
		l.log.Warn("the AWS SDK warns", text)
		return
	}
	l.log.Debug("the AWS SDK says", text)
}
