package store_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws"
	"github.com/jmsbridge/jmsbridge/connectors/store"
)

// table is as much of DynamoDB as the store asks for. It forgets nothing by itself, as the real one does for a while.
type table struct {
	mu      sync.Mutex
	items   map[string]map[string]map[string]string
	missing bool // the table is not there
	silent  bool // a refused write does not return what is there
}

type tableRequest struct {
	Item, Key, ExpressionAttributeValues map[string]map[string]string
	ConditionExpression                  string
	ReturnValuesOnConditionCheckFailure  string
	ConsistentRead                       bool
}

func (d *table) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var in tableRequest
	refuse := func(code string, more map[string]any) {
		w.WriteHeader(http.StatusBadRequest)
		answer := map[string]any{"__type": "com.amazonaws.dynamodb.v20120810#" + code, "message": "no"}
		for k, v := range more {
			answer[k] = v
		}
		_ = json.NewEncoder(w).Encode(answer)
	}
	switch err := json.NewDecoder(r.Body).Decode(&in); {
	case err != nil:
		refuse("SerializationException", nil)
	case d.missing:
		refuse("ResourceNotFoundException", nil)
	case r.Header.Get("X-Amz-Target") == "DynamoDB_20120810.GetItem":
		if !in.ConsistentRead {
			refuse("ValidationException", nil) // it could return what was there before
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"Item": d.items[in.Key["id"]["S"]]})
	case in.ConditionExpression != "attribute_not_exists(#id) OR #expires <= :now":
		refuse("ValidationException", nil)
	default:
		id := in.Item["id"]["S"]
		if old, ok := d.items[id]; ok && number(old["expires"]["N"]) > number(in.ExpressionAttributeValues[":now"]["N"]) {
			more := map[string]any{}
			if !d.silent && in.ReturnValuesOnConditionCheckFailure == "ALL_OLD" {
				more["Item"] = old
			}
			refuse("ConditionalCheckFailedException", more)
			return
		}
		d.items[id] = in.Item
		fmt.Fprint(w, "{}")
	}
}

func number(s string) int64 {
	n, _ := strconv.ParseInt(s, 10, 64)
	return n
}

// atTable returns a store in a table.
func atTable(t *testing.T, d *table) *store.DynamoDB {
	t.Helper()
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_ENDPOINT_URL": "",
	} {
		t.Setenv(name, value)
	}
	d.items = map[string]map[string]map[string]string{}
	server := httptest.NewServer(d)
	t.Cleanup(server.Close)
	client := aws.NewClient(aws.Settings{EndpointURL: server.URL, Region: "eu-west-1"})
	t.Cleanup(client.Close)
	return store.NewDynamoDB(client, "outcomes")
}

func TestATableKeepsWhatIsStoredFirstUntilItExpires(t *testing.T) {
	for _, silent := range []bool{false, true} {
		t.Run(fmt.Sprint("silent ", silent), func(t *testing.T) {
			s := atTable(t, &table{silent: silent})
			soon := time.Now().Add(time.Minute)
			if got := keep(t, s, "a", "first", soon); got != "" {
				t.Errorf("there was %q before anything was stored", got)
			}
			if got := keep(t, s, "a", "second", soon); got != "first" {
				t.Errorf("the second learns %q", got)
			}
			if got := find(t, s, "a"); got != "first" {
				t.Errorf("found %q", got)
			}
			keep(t, s, "b", "old", time.Now().Add(-time.Minute))
			if got := find(t, s, "b"); got != "" {
				t.Errorf("found %q, which has expired", got)
			}
			if got := keep(t, s, "b", "new", soon); got != "" || find(t, s, "b") != "new" {
				t.Errorf("what has expired is in the way: %q", got)
			}
		})
	}
}

func TestATableThatIsNotThereStopsTheRoute(t *testing.T) {
	s := atTable(t, &table{missing: true})
	_, err := s.Keep(t.Context(), "a", nil, time.Now().Add(time.Minute))
	if e := bridge.AsError(err); err == nil || e.Class != bridge.Fatal || e.Remedy == "" {
		t.Errorf("%v is %v", err, bridge.ClassOf(err))
	}
}
