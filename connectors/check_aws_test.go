package connectors

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jmsbridge/jmsbridge/config"
	"github.com/jmsbridge/jmsbridge/connectors/aws"
)

// clientOf loads a configuration with this aws block and returns the settings of the client that routes get.
func clientOf(t *testing.T, folder, block string) map[string]any {
	t.Helper()
	text := "brokers: [{name: mq, url: 'stomp://localhost:61613'}]\n" + block +
		"routes:\n- name: r\n  from: {jms: {broker: mq, queue: q}}\n  to: [{sqs: {queue: orders}}]\n"
	c, err := config.Parse(filepath.Join(folder, "bridge.yaml"), []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	// The client shows its settings to nobody; reflection may read them all the same.
	settings := reflect.ValueOf(NewSet(c, nil, nil).awsClient()).Elem().FieldByName("settings")
	if settings.Type() != reflect.TypeFor[aws.Settings]() {
		t.Fatalf("the client's settings are a %v", settings.Type())
	}
	values := map[string]any{}
	for i := range settings.NumField() {
		switch f := settings.Field(i); f.Kind() {
		case reflect.String:
			values[settings.Type().Field(i).Name] = f.String()
		case reflect.Bool:
			values[settings.Type().Field(i).Name] = f.Bool()
		}
	}
	return values
}

// A key that is written and goes nowhere is worse than one that is refused.
func TestEveryKeyOfTheAWSBlockReachesTheClient(t *testing.T) {
	folder := t.TempDir()
	bundle := filepath.Join(folder, "authorities.pem")
	if err := os.WriteFile(bundle, []byte("-----BEGIN CERTIFICATE-----\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const role = "arn:aws:iam::123456789012:role/bridge"
	// Per key: the setting that it becomes, its value, and the keys that it can't do without.
	keys := map[string]struct {
		setting string
		value   any
		needs   string
	}{
		"region":       {"Region", "ap-south-2", ""},
		"endpoint_url": {"EndpointURL", "https://sqs.example.com:8443", ""},
		"profile":      {"Profile", "bridge", ""},
		"role_arn":     {"RoleARN", role, ""},
		"external_id":  {"ExternalID", "outside", "  role_arn: " + role + "\n"},
		"ca_bundle":    {"CABundle", bundle, ""},
		"fips":         {"FIPS", true, ""},
		"dual_stack":   {"DualStack", true, ""},
	}
	block := reflect.TypeFor[config.AWS]()
	for i := range block.NumField() {
		key := block.Field(i).Tag.Get("mapstructure")
		t.Run(key, func(t *testing.T) {
			want, ok := keys[key]
			if !ok {
				t.Fatalf("the key aws.%s is new: map it in awsClient, and name its setting here", key)
			}
			before := "" // the block without the key
			if want.needs != "" {
				before = "aws:\n" + want.needs
			}
			values := clientOf(t, folder, before)
			if values[want.setting] == want.value {
				t.Fatalf("%s is %v without the key", want.setting, want.value)
			}
			values[want.setting] = want.value // and nothing else changes
			if diff := cmp.Diff(values, clientOf(t, folder, fmt.Sprintf("aws:\n%s  %s: %v\n", want.needs, key, want.value))); diff != "" {
				t.Error(diff)
			}
		})
	}
	if len(keys) != block.NumField() {
		t.Errorf("%d keys are named here, and the block has %d", len(keys), block.NumField())
	}
}
