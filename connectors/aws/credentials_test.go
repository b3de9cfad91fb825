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

// sharedFiles gives the SDK's chain these configuration and credentials files, and nothing of the machine's.
func sharedFiles(t *testing.T, config, credentials string) {
	t.Helper()
	environment(t, "", "", "")
	for _, name := range []string{
		"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_DEFAULT_PROFILE", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE",
		"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
	} {
		t.Setenv(name, "")
	}
	for name, text := range map[string]string{"AWS_CONFIG_FILE": config, "AWS_SHARED_CREDENTIALS_FILE": credentials} {
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv(name, file)
	}
}

func TestAProfileGivesRegionAndCredentials(t *testing.T) {
	key := awslocal.Key{ID: "AKIDBRIDGEEXAMPLE", Secret: "bridge-secret", SessionToken: "bridge-token", Principal: "arn:aws:iam::123456789012:user/bridge"}
	e := endpoint(t, awslocal.Options{Keys: []awslocal.Key{key}})
	config := "[default]\nregion = us-west-1\n[profile bridge]\nregion = eu-central-1\n"
	credentials := "[default]\naws_access_key_id = AKIDDEFAULTEXAMPLE\naws_secret_access_key = other\n" +
		"[bridge]\naws_access_key_id = " + key.ID + "\naws_secret_access_key = " + key.Secret + "\naws_session_token = " + key.SessionToken + "\n"
	for name, c := range map[string]struct {
		profile   string // of the settings
		variables map[string]string
	}{
		"named in the settings":                            {"bridge", nil},
		"named in the environment":                         {"", map[string]string{"AWS_PROFILE": "bridge"}},
		"the settings go before the environment's profile": {"bridge", map[string]string{"AWS_PROFILE": "default"}},
		"the settings go before the environment's keys": {
			"bridge", map[string]string{"AWS_ACCESS_KEY_ID": "AKIDENVEXAMPLE", "AWS_SECRET_ACCESS_KEY": "other"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			sharedFiles(t, config, credentials)
			for variable, value := range c.variables {
				t.Setenv(variable, value)
			}
			client := client(t, aws.Settings{Profile: c.profile, EndpointURL: e.URL()})
			if cfg, err := client.Config(t.Context()); err != nil || cfg.Region != "eu-central-1" {
				t.Errorf("region %q: %v", cfg.Region, err)
			}
			if who, err := client.CallerIdentity(t.Context()); err != nil || who.ARN != key.Principal {
				t.Errorf("%+v: %v", who, err)
			}
			if err := post(t, client, e.URL()); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("the region of the settings goes before the profile's", func(t *testing.T) {
		sharedFiles(t, config, credentials)
		cfg, err := client(t, aws.Settings{Profile: "bridge", Region: "ap-south-1"}).Config(t.Context())
		if err != nil || cfg.Region != "ap-south-1" {
			t.Errorf("region %q: %v", cfg.Region, err)
		}
	})
}

func TestAProfilesRoleIsAssumedWithItsSourceProfile(t *testing.T) {
	const arn, next = "arn:aws:iam::210987654321:role/bridge", "arn:aws:iam::333333333333:role/queues"
	base := awslocal.Key{ID: "AKIDBASEEXAMPLE", Secret: "base-secret"}
	e := endpoint(t, awslocal.Options{Keys: []awslocal.Key{base}, Roles: []awslocal.Role{{ARN: arn, ExternalID: "outside"}, {ARN: next}}})
	sharedFiles(t, "[profile bridge]\nregion = eu-central-1\nrole_arn = "+arn+"\nsource_profile = base\nexternal_id = outside\nrole_session_name = jms\n",
		"[base]\naws_access_key_id = "+base.ID+"\naws_secret_access_key = "+base.Secret+"\n")
	t.Setenv("AWS_ENDPOINT_URL_STS", e.URL()) // the chain asks STS before aws.endpoint_url is known to it
	assumed := func() int { return e.Log().Calls("AssumeRole") }

	c := client(t, aws.Settings{Profile: "bridge", EndpointURL: e.URL()})
	who, err := c.CallerIdentity(t.Context())
	if err != nil || who.ARN != "arn:aws:sts::210987654321:assumed-role/bridge/jms" || assumed() != 1 {
		t.Errorf("%+v, %v, %d calls", who, err, assumed())
	}
	for range 2 {
		if err := post(t, c, e.URL()); err != nil && err.Code != "AWS.SimpleQueueService.NonExistentQueue" { // of the other account
			t.Error(err)
		}
	}
	if assumed() != 1 {
		t.Errorf("the role was assumed %d times", assumed())
	}
	// aws.role_arn comes on top of what the profile gives.
	who, err = client(t, aws.Settings{Profile: "bridge", EndpointURL: e.URL(), RoleARN: next}).CallerIdentity(t.Context())
	if err != nil || who.ARN != "arn:aws:sts::333333333333:assumed-role/queues/jmsbridge" || assumed() != 3 {
		t.Errorf("%+v, %v, %d calls", who, err, assumed())
	}
	// A role that is refused takes somebody's hand, and STS that can't be reached does not.
	i := e.Inject(awslocal.Fault{Kind: awslocal.Refuse, Actions: []string{"AssumeRole"}, Code: "AccessDenied", Times: 1})
	denied := post(t, client(t, aws.Settings{Profile: "bridge"}), e.URL())
	if denied == nil || denied.Class != bridge.Fatal || denied.Code != "AccessDenied" || denied.Remedy == "" || i.Fired() != 1 {
		t.Errorf("denied: %+v", denied)
	}
	i = e.Inject(awslocal.Fault{Kind: awslocal.ResetBefore, Actions: []string{"AssumeRole"}, Times: 1})
	away := post(t, client(t, aws.Settings{Profile: "bridge"}), e.URL())
	if away == nil || away.Class != bridge.Transient || i.Fired() != 1 {
		t.Errorf("STS is away: %+v", away)
	}
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
	missing := post(t, client(t, aws.Settings{Profile: "bridge"}), e.URL())
	if missing == nil || missing.Class != bridge.Fatal || !strings.Contains(missing.Error(), "base") {
		t.Errorf("without the source profile: %+v", missing)
	}
}
