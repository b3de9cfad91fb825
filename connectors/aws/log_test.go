package aws_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/smithy-go/logging"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws"
)

func TestTheSDKLogsWhereEverythingElseDoes(t *testing.T) {
	environment(t, "AKIDEXAMPLE", "secret", "")
	core, lines := observer.New(zap.DebugLevel)
	for _, s := range []aws.Settings{
		{Log: zap.New(core)},
		{Log: zap.New(core), Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", "")},
	} {
		cfg, err := client(t, s).Config(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if cfg.Logger == nil {
			t.Fatal("the SDK has a logger of its own")
		}
		cfg.Logger.Logf(logging.Warn, "odd: %s\nAuthorization: x", "ASIAIOSFODNN7EXAMPLE, Signature=0123456789abcdef0123")
		cfg.Logger.Logf(logging.Debug, "trace")
		got := lines.TakeAll()
		if len(got) != 2 || got[0].Level != zap.WarnLevel || got[0].Message != "the AWS SDK warns" || got[1].Level != zap.DebugLevel {
			t.Fatalf("%+v", got)
		}
		if text, _ := got[0].ContextMap()[bridge.LogReason].(string); !strings.HasPrefix(text, "odd: ASIA…, Signature=[REDACTED]") || strings.Contains(text, "Authorization") {
			t.Errorf("%q", text)
		}
	}
}
