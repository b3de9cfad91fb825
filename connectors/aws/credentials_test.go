package aws_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws"
	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
)

func TestExpiredCredentialsAreReadAgain(t *testing.T) {
	environment(t, "", "", "")
	old := awslocal.Key{ID: "ASIAOLDEXAMPLE", Secret: "old", SessionToken: "old-token"}
	fresh := awslocal.Key{ID: "ASIANEWEXAMPLE", Secret: "new", SessionToken: "new-token"}
	e := endpoint(t, awslocal.Options{Keys: []awslocal.Key{old}})
	file := filepath.Join(t.TempDir(), "credentials")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", file)
	write := func(k awslocal.Key) {
		text := "[default]\naws_access_key_id = " + k.ID + "\naws_secret_access_key = " + k.Secret + "\naws_session_token = " + k.SessionToken + "\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(old)
	c := client(t, aws.Settings{})
	if err := post(t, c, e.URL()); err != nil {
		t.Fatal(err)
	}
	// The token expires, and another process writes a new one.
	i := e.Inject(awslocal.Fault{Kind: awslocal.Refuse, Actions: []string{"*"}, Code: "ExpiredToken", Times: 1})
	write(fresh)
	if err := post(t, c, e.URL()); err == nil || err.Class != bridge.Transient || i.Fired() != 1 {
		t.Fatalf("expired: %+v", err)
	}
	e.SetKeys(fresh)
	if err := post(t, c, e.URL()); err != nil {
		t.Fatalf("renewed: %v", err)
	}
	// Keys that AWS no longer knows are Fatal, and read again as well.
	e.SetKeys(old)
	write(old)
	if err := post(t, c, e.URL()); err == nil || err.Class != bridge.Fatal {
		t.Fatalf("unknown: %+v", err)
	}
	if err := post(t, c, e.URL()); err != nil {
		t.Fatalf("rotated: %v", err)
	}
	// What is expired when it is fresh stays so.
	e.Inject(awslocal.Fault{Kind: awslocal.Refuse, Actions: []string{"*"}, Code: "ExpiredToken", Times: 2})
	if err := post(t, c, e.URL()); err == nil || err.Class != bridge.Transient {
		t.Errorf("expired again: %+v", err)
	}
	if err := post(t, c, e.URL()); err == nil || err.Class != bridge.Fatal || err.Remedy == "" {
		t.Errorf("expired although fresh: %+v", err)
	}
}

func TestARoleIsAssumed(t *testing.T) {
	const arn = "arn:aws:iam::210987654321:role/bridge"
	environment(t, "AKIDEXAMPLE", "secret", "")
	e := endpoint(t, awslocal.Options{
		Keys:  []awslocal.Key{{ID: "AKIDEXAMPLE", Secret: "secret"}},
		Roles: []awslocal.Role{{ARN: arn, ExternalID: "outside"}},
	})
	c := client(t, aws.Settings{EndpointURL: e.URL(), RoleARN: arn, ExternalID: "outside"})
	who, err := c.CallerIdentity(t.Context())
	if err != nil || who.Account != "210987654321" || !strings.HasPrefix(who.ARN, "arn:aws:sts::210987654321:assumed-role/bridge/jmsbridge") {
		t.Errorf("%+v, %v", who, err)
	}
	denied := post(t, client(t, aws.Settings{EndpointURL: e.URL(), RoleARN: arn, ExternalID: "wrong"}), e.URL())
	if denied == nil || denied.Class != bridge.Fatal || denied.Code != "AccessDenied" || denied.Remedy == "" {
		t.Errorf("%+v", denied)
	}
}

func TestTheCallerIsKnown(t *testing.T) {
	environment(t, "AKIDEXAMPLE", "secret", "")
	e := endpoint(t, awslocal.Options{Keys: []awslocal.Key{{ID: "AKIDEXAMPLE", Secret: "secret", Principal: "arn:aws:iam::123456789012:user/bridge"}}})
	who, err := client(t, aws.Settings{EndpointURL: e.URL()}).CallerIdentity(t.Context())
	if err != nil || who.ARN != "arn:aws:iam::123456789012:user/bridge" || who.Account != "123456789012" {
		t.Errorf("%+v, %v", who, err)
	}
	environment(t, "AKIDEXAMPLE", "wrong", "")
	_, err = client(t, aws.Settings{EndpointURL: e.URL()}).CallerIdentity(t.Context())
	if bridge.ClassOf(err) != bridge.Fatal || err == nil {
		t.Errorf("%v", err)
	}
}

func TestAnUnreachableSourceOfCredentialsIsTransient(t *testing.T) {
	environment(t, "", "", "")
	e := endpoint(t, awslocal.Options{})
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/credentials")
	err := post(t, client(t, aws.Settings{}), e.URL())
	if err == nil || err.Class != bridge.Transient || err.Code != "NoCredentials" {
		t.Errorf("%v: %+v", err, err)
	}
}

func TestAProfileThatIsNotThereIsFatal(t *testing.T) {
	environment(t, "AKIDEXAMPLE", "secret", "")
	_, err := client(t, aws.Settings{Profile: "missing"}).Config(t.Context())
	if err == nil || bridge.ClassOf(err) != bridge.Fatal || !strings.Contains(err.Error(), "missing") {
		t.Errorf("%v", err)
	}
}
