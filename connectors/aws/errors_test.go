package aws_test

import (
	"strings"
	"testing"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws"
)

func TestCodesHaveTheirClass(t *testing.T) {
	for _, c := range []struct {
		code   string
		status int
		want   bridge.Class
	}{
		{"com.amazonaws.sqs#RequestThrottled", 400, bridge.Throttled},
		{"com.amazon.coral.service#AccessDeniedException", 403, bridge.Fatal},
		{"KMS.DisabledException", 400, bridge.Fatal},
		{"KMS.NotFoundException", 400, bridge.Fatal},
		{"KmsNewTrouble", 400, bridge.Fatal},
		{"KMS.ThrottlingException", 400, bridge.Throttled},
		{"RequestTimeTooSkewed", 403, bridge.Transient},
		{"InvalidParameterValue", 500, bridge.Transient},
		{"", 429, bridge.Throttled},
		{"", 503, bridge.Transient},
		{"", 301, bridge.Fatal},
		{"", 404, bridge.Fatal},
		{"", 407, bridge.Fatal},
		{"", 400, bridge.Transient},
		{"", 0, bridge.Transient},
	} {
		if e := aws.Answered(c.code, "", c.status); e.Class != c.want || strings.Contains(e.Code, "#") || e.Error() == "" ||
			e.OfTarget != (c.want == bridge.Transient) { // the engine charges no message for these
			t.Errorf("%s %d: %v (%v)", c.code, c.status, e.Class, e)
		}
	}
}

func TestTextsShowNoCredentials(t *testing.T) {
	e := aws.Answered("SignatureDoesNotMatch", "The request signature we calculated does not match. Key ASIAIOSFODNN7EXAMPLE\n"+
		"The Canonical String for this request should have been\n'POST\nx-amz-security-token:TOKENTOKEN'", 403)
	if text := e.Error(); strings.Contains(text, "IOSFODNN7EXAMPLE") || strings.Contains(text, "TOKENTOKEN") || !strings.Contains(text, "does not match") {
		t.Errorf("%q", text)
	}
	if e := aws.Answered("X", strings.Repeat("long ", 1000), 400); len(e.Error()) > 600 {
		t.Errorf("%d bytes", len(e.Error()))
	}
}

func TestAloneIsPermanentAndTogetherIsSuspect(t *testing.T) {
	for _, c := range []struct {
		class    bridge.Class
		messages int
		want     bridge.Class
	}{
		{bridge.Suspect, 1, bridge.Permanent},
		{bridge.Suspect, 2, bridge.Suspect},
		{bridge.Permanent, 1, bridge.Permanent},
		{bridge.Permanent, 2, bridge.Suspect},
		{bridge.Fatal, 1, bridge.Fatal},
		{bridge.Throttled, 9, bridge.Throttled},
	} {
		if got := aws.Alone(&bridge.Error{Class: c.class}, c.messages); got.Class != c.want {
			t.Errorf("%v of %d is %v", c.class, c.messages, got.Class)
		}
	}
}
