package stage_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/stage"
)

// order is a message with every field of the envelope.
func order() *bridge.Message {
	return &bridge.Message{
		Key: "key", ID: "ID:1", CorrelationID: "c-1", Type: "order", UserID: "app", GroupID: "g", GroupSeq: 3,
		Destination: bridge.Destination{Kind: bridge.Queue, Name: "orders.eu"},
		ReplyTo:     bridge.Destination{Kind: bridge.TempTopic, Name: "t"},
		Timestamp:   time.UnixMilli(1795341276729), Expiration: time.UnixMilli(math.MaxInt64), Priority: 4, Persistent: true, DeliveryCount: 2,
		Properties: bridge.NewProperties([]bridge.Entry{
			{Name: "region", Value: bridge.String("EU")},
			{Name: "a.b", Value: bridge.String("dotted")},
			{Name: "amount", Value: bridge.Long(9007199254740993)},
			{Name: "lines", Value: bridge.Int(300)},
			{Name: "weight", Value: bridge.Double(2)},
			{Name: "rate", Value: bridge.Float(1.1)},
			{Name: "nan", Value: bridge.Double(math.NaN())},
			{Name: "express", Value: bridge.Boolean(true)},
			{Name: "code", Value: bridge.Char('x')},
			{Name: "half", Value: bridge.Char(0xd800)},
			{Name: "raw", Value: bridge.Bytes("\xff")},
			{Name: "gone", Value: bridge.Null()},
			{Name: "tags", Value: bridge.ListValue([]bridge.Value{bridge.String("a"), bridge.Long(1), bridge.ListValue([]bridge.Value{bridge.String("deep")})})},
			{Name: "order", Value: bridge.MapValue([]bridge.Entry{{Name: "id", Value: bridge.Long(7)}, {Name: "a/b", Value: bridge.Short(1)}})},
			{Name: "ip", Value: bridge.String("10.1.2.3")},
		}),
		Body: bridge.NewText("hello world").Inferred(),
	}
}

func TestPatternsMatchEveryFieldOfTheEnvelope(t *testing.T) {
	for pattern, want := range map[string]bool{
		`{"message_id": ["ID:1"]}`: true, `{"correlation_id": [{"prefix": "c-"}]}`: true, `{"type": ["ORDER"]}`: false,
		`{"user_id": ["app"], "group_id": ["g"], "group_seq": [3], "delivery_count": [2]}`:               true,
		`{"destination": ["queue:orders.eu"]}`:                                                           true,
		`{"destination": ["queue:orders"]}`:                                                              false,
		`{"destination": ["orders.eu"]}`:                                                                 false,
		`{"destination": ["queue:", "topic:orders.eu"]}`:                                                 false,
		`{"destination": [{"prefix": "que"}]}`:                                                           true,
		`{"destination": [{"prefix": "queue:orders."}]}`:                                                 true,
		`{"destination": [{"suffix": ":orders.eu"}]}`:                                                    true,
		`{"destination": [{"suffix": ".eu"}]}`:                                                           true,
		`{"destination": [{"wildcard": "*eue:orders.*"}]}`:                                               true,
		`{"destination": [{"wildcard": "queue:orders.*"}]}`:                                              true,
		`{"destination": [{"wildcard": "*orders*us"}]}`:                                                  false,
		`{"destination": [{"equals-ignore-case": "QUEUE:Orders.EU"}]}`:                                   true,
		`{"destination": [{"prefix": {"equals-ignore-case": "QUEUE:Ord"}}]}`:                             true,
		`{"destination": [{"prefix": {"equals-ignore-case": "QU"}}]}`:                                    true,
		`{"destination": [{"suffix": {"equals-ignore-case": ":ORDERS.EU"}}]}`:                            true,
		`{"destination": [{"anything-but": "queue:orders.eu"}]}`:                                         false,
		`{"destination": [{"anything-but": {"prefix": ["topic:", "temp-"]}}]}`:                           true,
		`{"destination": [{"cidr": "10.0.0.0/8"}]}`:                                                      false,
		`{"reply_to": ["temp-topic:t"]}`:                                                                 true,
		`{"timestamp": [{"prefix": "2026-11-22"}]}`:                                                      true,
		`{"timestamp": ["2026-11-22T09:54:36.729Z"]}`:                                                    true,
		`{"timestamp": [{"exists": true}], "expiration": [{"suffix": "Z"}]}`:                             true,
		`{"expiration": [{"prefix": "+292278994-"}]}`:                                                    true,
		`{"priority": [4], "persistent": [true], "redelivered": [false]}`:                                true,
		`{"priority": [{"numeric": [">", 4]}]}`:                                                          false,
		`{"properties": {"region": ["US", "EU"]}}`:                                                       true,
		`{"properties": {"a.b": ["dotted"]}}`:                                                            true,
		`{"properties": {"a": {"b": ["dotted"]}}}`:                                                       false,
		`{"properties": {"Region": ["EU"]}}`:                                                             false,
		`{"properties": {"amount": [9007199254740993]}}`:                                                 true,
		`{"properties": {"amount": [9007199254740992]}}`:                                                 false,
		`{"properties": {"amount": [9007199254740993.0]}}`:                                               true,
		`{"properties": {"amount": ["9007199254740993"]}}`:                                               false,
		`{"properties": {"amount": [{"numeric": [">", 9007199254740992]}]}}`:                             true,
		`{"properties": {"amount": [{"numeric": ["<", 9007199254740993.5]}]}}`:                           true,
		`{"properties": {"lines": [3.0e2]}}`:                                                             true,
		`{"properties": {"weight": [2]}}`:                                                                true,
		`{"properties": {"rate": [1.1]}}`:                                                                true,
		`{"properties": {"rate": [1.10000002384185791015625]}}`:                                          false,
		`{"properties": {"rate": [{"numeric": [">", 1.1]}]}}`:                                            false,
		`{"properties": {"weight": [2.00000000000000001]}}`:                                              false,
		`{"properties": {"weight": [{"numeric": ["<", 2.00000000000000001]}]}}`:                          true,
		`{"properties": {"weight": [{"numeric": ["<=", 1.99999999999999999]}]}}`:                         false,
		`{"properties": {"weight": [{"anything-but": 1.99999999999999999}]}}`:                            true,
		`{"properties": {"nan": ["NaN"]}}`:                                                               true,
		`{"properties": {"nan": [{"numeric": [">=", 0]}]}}`:                                              false,
		`{"properties": {"express": [true]}}`:                                                            true,
		`{"properties": {"express": ["true"]}}`:                                                          false,
		`{"properties": {"code": ["x"], "half": [55296], "raw": ["/w=="]}}`:                              true,
		`{"properties": {"gone": [null]}}`:                                                               true,
		`{"properties": {"gone": [{"exists": true}]}}`:                                                   true,
		`{"properties": {"absent": [null]}}`:                                                             false,
		`{"properties": {"absent": [{"anything-but": "x"}]}}`:                                            false,
		`{"properties": {"absent": ["x", {"exists": false}]}}`:                                           true,
		`{"properties": {"gone": [{"anything-but": "x"}]}}`:                                              true,
		`{"properties": {"tags": [1.0]}}`:                                                                true,
		`{"properties": {"tags": ["deep"]}}`:                                                             true,
		`{"properties": {"tags": [{"anything-but": "a"}]}}`:                                              true,
		`{"properties": {"order": {"id": [7]}}}`:                                                         true,
		`{"properties": {"order": [{"exists": true}]}}`:                                                  false,
		`{"properties": {"order": [{"exists": false}]}}`:                                                 true,
		`{"properties": {"region": {"x": [{"exists": false}]}}}`:                                         true,
		`{"properties": {"ip": [{"cidr": "10.0.0.0/8"}]}}`:                                               true,
		`{"properties": {"ip": [{"cidr": "11.0.0.0/8"}]}}`:                                               false,
		`{"properties": {"region": [{"cidr": "11.0.0.0/8"}]}}`:                                           false,
		`{"property_types": {"amount": ["long"]}}`:                                                       true,
		`{"property_types": {"region": [{"exists": false}]}}`:                                            true,
		`{"property_types": {"tags/1": ["long"]}}`:                                                       true,
		`{"property_types": {"tags/01": ["long"]}}`:                                                      false,
		`{"property_types": {"order/a~1b": ["short"], "nan": ["double"]}}`:                               true,
		`{"property_types": {"lines/x": ["long"]}}`:                                                      false,
		`{"body": ["hello world"], "body_type": ["text"], "body_type_inferred": [true]}`:                 true,
		`{"body": {"x": ["hello world"]}}`:                                                               false,
		`{"body": {"x": [{"exists": false}]}}`:                                                           true,
		`{"body": [{"wildcard": "*o w*"}]}`:                                                              true,
		`{"body_types": {"x": [{"exists": false}]}}`:                                                     true,
		`{"$or": [{"type": ["x"]}, {"properties": {"region": ["EU"]}}], "priority": [4]}`:                true,
		`{"$or": [{"type": ["x"]}, {"properties": {"region": ["EU"]}}], "priority": [5]}`:                false,
		`{"properties": {"$or": [{"region": ["US"]}, {"lines": [300]}], "express": [true]}}`:             true,
		`{"properties": {"region": [{"equals-ignore-case": "eu"}, {"prefix": "U"}]}}`:                    true,
		`{"properties": {"region": [{"prefix": ""}]}}`:                                                   true,
		`{"properties": {"lines": [{"prefix": ""}]}}`:                                                    false,
		`{"properties": {"lines": [{"anything-but": {"prefix": "3"}}]}}`:                                 true, // a number has no prefix
		`{"type": [{"wildcard": "order"}], "user_id": [{"wildcard": "*"}]}`:                              true,
		`{"properties": {"region": [{"equals-ignore-case": "ſ"}, {"suffix": ""}]}}`:                      true,
		`{"properties": {"lines": [{"numeric": [">=", 300, "<", 300.0000000001]}]}}`:                     true,
		`{"properties": {"lines": [{"numeric": ["=", 300.0000000001]}]}}`:                                false,
		`{"properties": {"lines": [{"numeric": [">", -1e300]}], "amount": [{"numeric": ["<", 1e300]}]}}`: true,
	} {
		if got, err := mustParse(t, pattern).Matches(order()); err != nil || got != want {
			t.Errorf("%s: got %v, %v", pattern, got, err)
		}
	}
}

func TestWhatIsNotSetIsNotThere(t *testing.T) {
	empty := &bridge.Message{}
	for _, field := range []string{
		"message_id", "correlation_id", "reply_to", "type", "destination", "timestamp", "expiration", "delivery_count", "group_id", "group_seq",
		"user_id", "body", "body_type_inferred",
	} {
		if ok, err := mustParse(t, `{"`+field+`": [{"exists": false}]}`).Matches(empty); !ok || err != nil {
			t.Errorf("%s is there: %v", field, err)
		}
		if ok, err := mustParse(t, `{"`+field+`": [{"exists": true}]}`).Matches(empty); ok || err != nil {
			t.Errorf("%s is there: %v", field, err)
		}
	}
	for _, field := range []string{"priority", "persistent", "redelivered", "body_type"} {
		if ok, err := mustParse(t, `{"`+field+`": [{"exists": true}]}`).Matches(empty); !ok || err != nil {
			t.Errorf("%s is not there: %v", field, err)
		}
	}
}

func TestPatternsMatchBodies(t *testing.T) {
	for _, tc := range []struct {
		body    bridge.Body
		pattern string
		want    bool
	}{
		{bridge.NewText(`{"a": 1}`), `{"body": {"a": [1]}}`, false}, // a text is a string, whatever is in it
		{bridge.NewText(`{"a": 1}`), `{"body": [{"wildcard": "*\"a\": 1*"}]}`, true},
		{bridge.NewBytes("\xff\x00"), `{"body": ["/wA="]}`, true},
		{bridge.NewObject("\xff"), `{"body": ["/w=="], "body_type": ["object"]}`, true},
		{bridge.NewMap([]bridge.Entry{{Name: "a", Value: bridge.Int(1)}}), `{"body": {"a": [1]}}`, true},
		{bridge.NewMap([]bridge.Entry{{Name: "a", Value: bridge.Int(1)}}), `{"body": [{"exists": true}]}`, false},
		{bridge.NewMap([]bridge.Entry{{Name: "a", Value: bridge.Byte(1)}}), `{"body_types": {"a": ["byte"]}}`, true},
		{bridge.NewStream([]bridge.Value{bridge.Int(1), bridge.String("x")}), `{"body": ["x"]}`, true},
		{bridge.NewStream([]bridge.Value{bridge.Int(1), bridge.Long(2)}), `{"body_types": {"1": ["long"]}}`, true},
		{bridge.NewStream(nil), `{"body": [{"exists": true}]}`, false},
		{bridge.NewStream([]bridge.Value{bridge.MapValue([]bridge.Entry{{Name: "a", Value: bridge.Int(1)}})}), `{"body": {"a": [1]}}`, true},
		{bridge.Body{}, `{"body": [{"exists": false}]}`, true},
	} {
		if got, err := mustParse(t, tc.pattern).Matches(&bridge.Message{Body: tc.body}); err != nil || got != tc.want {
			t.Errorf("%s on a %s body: got %v, %v", tc.pattern, tc.body.Kind(), got, err)
		}
	}
}

// TestOneElementHasToMatch: what AWS calls array consistency, also across $or and for what must not be there.
func TestOneElementHasToMatch(t *testing.T) {
	for _, tc := range []struct {
		event, pattern string
		want           bool
	}{
		{`{"d": [{"a": 1}, {"b": 2}]}`, `{"d": {"a": [1]}, "$or": [{"d": {"b": [2]}}, {"e": [1]}]}`, false},
		{`{"d": [{"a": 1, "b": 2}, {"b": 3}]}`, `{"d": {"a": [1]}, "$or": [{"d": {"b": [2]}}, {"e": [1]}]}`, true},
		{`{"d": [{"a": 1}, {"c": 1}]}`, `{"d": {"a": [1], "c": [{"exists": false}]}}`, true},
		{`{"d": [{"a": 1, "c": 1}, {"a": 2}]}`, `{"d": {"a": [1], "c": [{"exists": false}]}}`, false},
		{`{"d": [{"c": 1}, {"b": 2}]}`, `{"d": {"c": [{"exists": false}]}}`, false}, // it is in one of them
		{`{"d": [{"a": 1}, {"b": 2}]}`, `{"d": {"c": [{"exists": false}]}}`, true},
		{`{"d": [1, {"c": 1}]}`, `{"d": [1]}`, true},
		{`{"d": [[1, [2]], 3]}`, `{"d": [2]}`, true},
		{`{"d": [{"x": [{"a": 1}, {"b": 1}]}, {"x": [{"a": 1, "b": 1}]}]}`, `{"d": {"x": {"a": [1], "b": [1]}}}`, true},
		{`{}`, `{"d": {"x": {"a": [{"exists": false}]}, "y": [{"exists": false}]}}`, true},
		{`{"d": "text"}`, `{"d": {"x": [{"exists": false}]}}`, true},
		{`{"d": {"y": 1}}`, `{"d": {"x": [{"exists": false}], "y": [1]}}`, true},
	} {
		p, err := stage.ParsePattern(map[string]any{"body": tree(t, tc.pattern)})
		if err != nil {
			t.Fatal(err)
		}
		m := &bridge.Message{Body: bridge.NewMap(valueOf(tree(t, tc.event)).Map())}
		if got, err := p.Matches(m); err != nil || got != tc.want {
			t.Errorf("%s on %s: got %v, %v", tc.pattern, tc.event, got, err)
		}
	}
}

func TestMistakesInPatternsNameTheirPlace(t *testing.T) {
	for pattern, want := range map[string]string{
		`[]`:                               "a pattern is an object with fields of the envelope, not a list",
		`"EU"`:                             "a pattern is an object with fields of the envelope, not a string",
		`{}`:                               "an object can't be empty: it would match everything",
		`{"type": []}`:                     "type: a list can't be empty: nothing would match",
		`{"properties": {"region": "EU"}}`: `properties.region: the values to match stand in a list: write ["EU"]`,
		`{"properties": {"n": 5}}`:         `properties.n: the values to match stand in a list: write [5]`,
		`{"properties": {"n": null}}`:      `properties.n: the values to match stand in a list: write [null]`,
		`{"properties": {"region": [{"prefx": "E"}]}}`:                                                `properties.region[0].prefx: there is no operator "prefx"; did you mean "prefix"?`,
		`{"properties": {"region": [{"Prefix": "E"}]}}`:                                               `properties.region[0].Prefix: there is no operator "Prefix"; did you mean "prefix"?`,
		`{"properties": {"region": [{"regex": "E"}]}}`:                                                `properties.region[0].regex: there is no operator "regex"; known here: anything-but, cidr, equals-ignore-case, exists, numeric, prefix, suffix, wildcard`,
		`{"properties": {"region": [{"exactly": "E"}]}}`:                                              `properties.region[0].exactly: there is no operator "exactly"`,
		`{"properties": {"region": ["a", {"prefix": 3}]}}`:                                            `properties.region[1].prefix: prefix has a string, not a number`,
		`{"properties": {"region": [["a"]]}}`:                                                         `properties.region[0]: a list can't stand here`,
		`{"properties": {"region": [{}]}}`:                                                            `properties.region[0]: an operator stands alone in its braces; here are 0 names`,
		`{"properties": {"r": [{"prefix": "a", "suffix": "b"}]}}`:                                     `properties.r[0]: an operator stands alone in its braces; here are 2 names`,
		`{"properties": {"r": {"prefix": "a"}}}`:                                                      `properties.r: an operator stands in a list: write [{"prefix": "a"}]`,
		`{"properties": {"r": {"prefix": "a", "suffix": "b"}}}`:                                       `properties.r.prefix: an operator stands in a list: write [{"prefix": "a"}]`,
		`{"properties": {"r": {"exists": true}}}`:                                                     `properties.r: an operator stands in a list: write [{"exists": true}]`,
		`{"properties": {"n": {"numeric": [">", 5]}}}`:                                                `properties.n: an operator stands in a list: write [{"numeric": [">",5]}]`,
		`{"properties": {"n": {"numeric": [">", 5], "x": [1]}}}`:                                      `properties.n.numeric: an operator stands in a list`,
		`{"properties": {"r": {"anything-but": ["a"]}}}`:                                              `properties.r: an operator stands in a list: write [{"anything-but": ["a"]}]`,
		`{"type": {"prefix": {"equals-ignore-case": "a"}}}`:                                           `type: an operator stands in a list: write [{"prefix": {"equals-ignore-case":"a"}}]`,
		`{"type": {"x": ["a"]}}`:                                                                      `type: type is no object in the envelope: write a list`,
		`{"properties": ["a"]}`:                                                                       `properties: properties is an object in the envelope: name a field in it, as in "properties": {"region": ["EU"]}`,
		`{"propertys": {"region": ["EU"]}}`:                                                           `propertys: the envelope has no field "propertys"; did you mean "properties"?`,
		`{"Type": ["EU"]}`:                                                                            `Type: the envelope has no field "Type"; did you mean "type"?`,
		`{"detail": {"region": ["EU"]}}`:                                                              `detail: the envelope has no field "detail"; known here: body, body_type`,
		`{"property_types": {"a": {"b": ["long"]}}}`:                                                  `property_types.a: a type is a word: write a list, like ["long"]`,
		`{"properties": {}}`:                                                                          `properties: an object can't be empty`,
		`{"properties": {"r": [{"exists": "yes"}]}}`:                                                  `properties.r[0].exists: exists is true or false, not a string`,
		`{"properties": {"r": [{"cidr": "10.0.0.0"}]}}`:                                               `properties.r[0].cidr: "10.0.0.0" is not a block of addresses, like 10.0.0.0/8 or 2001:db8::/32`,
		`{"properties": {"r": [{"cidr": "10.0.0.0/33"}]}}`:                                            `is not a block of addresses`,
		`{"properties": {"r": [{"cidr": "::ffff:10.0.0.0/104"}]}}`:                                    `is not a block of addresses`,
		`{"properties": {"r": [{"wildcard": "a**b"}]}}`:                                               `properties.r[0].wildcard: two stars can't follow each other`,
		`{"properties": {"r": [{"wildcard": "a\\b"}]}}`:                                               `properties.r[0].wildcard: a backslash stands only before * and \`,
		`{"properties": {"r": [{"wildcard": "a\\"}]}}`:                                                `a backslash stands only before`,
		`{"properties": {"r": [{"prefix": {"suffix": "a"}}]}}`:                                        `properties.r[0].prefix: prefix has a string, or {"equals-ignore-case": "…"}`,
		`{"properties": {"r": [{"suffix": {"equals-ignore-case": 5}}]}}`:                              `properties.r[0].suffix.equals-ignore-case: equals-ignore-case has a string, not a number`,
		`{"properties": {"r": [{"prefix": ["a"]}]}}`:                                                  `prefix has a string, not a list`,
		`{"properties": {"n": [{"numeric": 5}]}}`:                                                     `properties.n[0].numeric: numeric has a list of a comparison and a number`,
		`{"properties": {"n": [{"numeric": [">"]}]}}`:                                                 `numeric has a list of a comparison and a number`,
		`{"properties": {"n": [{"numeric": ["!=", 5]}]}}`:                                             `properties.n[0].numeric[0]: "!=" is no comparison; there are = < <= > >=`,
		`{"properties": {"n": [{"numeric": [5, ">"]}]}}`:                                              `properties.n[0].numeric[0]: 5 is no comparison`,
		`{"properties": {"n": [{"numeric": [">", "5"]}]}}`:                                            `properties.n[0].numeric[1]: a number follows >, not a string`,
		`{"properties": {"n": [{"numeric": ["<", 5, ">", 0]}]}}`:                                      `a range begins with > or >= and ends with < or <=`,
		`{"properties": {"n": [{"numeric": [">", 5, ">", 0]}]}}`:                                      `a range begins with > or >= and ends with < or <=`,
		`{"properties": {"n": [{"numeric": [">", 5, "<", 5]}]}}`:                                      `the lower end of a range is below the upper one`,
		`{"properties": {"n": [{"numeric": [">", 5, "<", "6"]}]}}`:                                    `properties.n[0].numeric[3]: a number follows <, not a string`,
		`{"properties": {"n": [{"numeric": ["=", 1e309]}]}}`:                                          `properties.n[0].numeric[1]: 1e309 is too large for a double`,
		`{"properties": {"n": [1e-325]}}`:                                                             `properties.n[0]: 1e-325 is too small for a double`,
		`{"properties": {"r": [{"anything-but": true}]}}`:                                             `properties.r[0].anything-but: anything-but has strings or numbers, not true or false`,
		`{"properties": {"r": [{"anything-but": ["a", null]}]}}`:                                      `properties.r[0].anything-but[1]: anything-but has strings or numbers, not null`,
		`{"properties": {"r": [{"anything-but": ["a", 1]}]}}`:                                         `properties.r[0].anything-but: a list in anything-but has only strings or only numbers`,
		`{"properties": {"r": [{"anything-but": []}]}}`:                                               `properties.r[0].anything-but: a list can't be empty: everything would match`,
		`{"properties": {"r": [{"anything-but": {"cidr": "10.0.0.0/8"}}]}}`:                           `properties.r[0].anything-but: anything-but has a value, a list of them, or one of prefix`,
		`{"properties": {"r": [{"anything-but": {"prefix": ""}}]}}`:                                   `properties.r[0].anything-but.prefix: every string has an empty prefix: nothing would match`,
		`{"properties": {"r": [{"anything-but": {"prefix": ["a", 5]}}]}}`:                             `properties.r[0].anything-but.prefix[1]: prefix has a string, not a number`,
		`{"properties": {"r": [{"anything-but": {"wildcard": ["a**"]}}]}}`:                            `properties.r[0].anything-but.wildcard[0]: two stars`,
		`{"$or": {"type": ["a"]}}`:                                                                    `$or: $or has a list of objects, not an object`,
		`{"$or": "a"}`:                                                                                `$or: $or has a list of objects, not a string`,
		`{"$or": [{"type": ["a"]}]}`:                                                                  `$or: $or needs at least two objects to choose from`,
		`{"$or": [{"type": ["a"]}, ["b"]]}`:                                                           `$or[1]: $or has objects in its list, not a list`,
		`{"$or": [{"type": ["a"]}, {}]}`:                                                              `$or[1]: an object can't be empty`,
		`{"properties": {"$or": [{"cidr": ["a"]}, {"b": ["b"]}]}}`:                                    `properties.$or[0].cidr: AWS reserves the names of operators in $or`,
		`{"$or": [{"type": ["a"]}, {"tipe": ["a"]}]}`:                                                 `$or[1].tipe: the envelope has no field "tipe"; did you mean "type"?`,
		`{"type": ["a"], "$or": [{"type": ["b"]}, {"user_id": ["c"]}]}`:                               `$or[0].type: this field is matched twice, here and beside the $or or in another one`,
		`{"properties": {"r": ["a"]}, "$or": [{"properties": {"r": {"x": ["b"]}}}, {"type": ["c"]}]}`: `properties.r: this field has a list here, and an object beside the $or`,
	} {
		_, err := stage.ParsePattern(tree(t, pattern))
		var all stage.PatternErrors
		if !errors.As(err, &all) || len(all) != 1 && !strings.Contains(pattern, `"suffix": "b"}}}`) || !strings.HasPrefix(err.Error()+"\n", want) && !strings.Contains(err.Error(), want) {
			t.Errorf("%s:\ngot  %v\nwant %s", pattern, err, want)
		}
	}
}

func TestEveryMistakeIsReportedInOrder(t *testing.T) {
	_, err := stage.ParsePattern(tree(t, `{"type": "a", "properties": {"r": [{"prefx": "a"}, {"exists": 1}], "n": []}, "prio": [1]}`))
	var all stage.PatternErrors
	if !errors.As(err, &all) {
		t.Fatal(err)
	}
	var got []string
	for _, e := range all {
		got = append(got, e.Location())
	}
	want := []string{"prio", "properties.n", "properties.r[0].prefx", "properties.r[1].exists", "type"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]any{"properties", "r", 0, "prefx"}, all[2].Path); diff != "" {
		t.Error(diff)
	}
	if one := new(stage.PatternError); !errors.As(err, &one) || one != all[0] || strings.Count(err.Error(), "\n") != 4 {
		t.Errorf("got %v", err)
	}
}

func TestPatternsOfYAML(t *testing.T) {
	for _, tc := range []struct {
		text string
		want bool
	}{
		{"properties: {region: [EU, US], lines: [300], weight: [2.0], express: [true], gone: [null]}", true},
		{"properties:\n  amount:\n    - numeric: ['>', 5, '<=', 9007199254740993]\n", true},
		{"properties: {lines: [0x12c]}", true},
		{"properties: {lines: [{anything-but: [299, 301]}]}", true},
		{"properties: {lines: [{numeric: ['>=', -5.5]}], amount: [{numeric: ['<', 18446744073709551615]}]}", true},
		{"$or:\n  - type: [x]\n  - {priority: [4]}\n", true},
		{"properties: {caseKept: [{exists: true}]}", false},
	} {
		var v any
		if err := yaml.Unmarshal([]byte(tc.text), &v); err != nil {
			t.Fatal(err)
		}
		p, err := stage.ParsePattern(v)
		if err != nil {
			t.Errorf("%s: %v", tc.text, err)
			continue
		}
		if got, err := p.Matches(order()); err != nil || got != tc.want {
			t.Errorf("%s: got %v, %v", tc.text, got, err)
		}
	}
	for _, v := range []any{math.NaN(), math.Inf(1), struct{}{}, []string{"a"}, map[any]any{}} {
		if _, err := stage.ParsePattern(map[string]any{"properties": map[string]any{"a": []any{v}}}); err == nil {
			t.Errorf("%v is taken", v)
		}
	}
}

func TestPatternsHaveBounds(t *testing.T) {
	deep := any([]any{"a"})
	for range 70 {
		deep = map[string]any{"a": deep}
	}
	many := make([]any, 5001)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	choice := func(name string, n int) any {
		var list []any
		for i := range n {
			list = append(list, map[string]any{name: []any{i}})
		}
		return list
	}
	or := func(a, b int) any {
		return map[string]any{"a": map[string]any{orKey: choice("x", a)}, "b": map[string]any{orKey: choice("y", b)}}
	}
	for _, tc := range []struct {
		properties any
		want       string
	}{
		{map[string]any{"deep": deep}, "more than 64 levels"},
		{map[string]any{"many": many}, "properties.many: more than 5000 values in one pattern"},
		{map[string]any{"many": []any{map[string]any{"anything-but": many}}}, "more than 5000 values in one pattern"},
		{or(20, 50), ""},
		{or(20, 51), "properties: $or makes more than 1000 combinations"},
		{map[string]any{"s": []any{map[string]any{"wildcard": strings.Repeat("*a", 65)}}}, "more than 64 stars"},
	} {
		_, err := stage.ParsePattern(map[string]any{"properties": tc.properties})
		if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("got %v, want %q", err, tc.want)
		}
	}
	all := map[string]any{}
	for i := range 10 {
		all[fmt.Sprint("p", i)] = map[string]any{orKey: choice("x", 2)}
	}
	if _, err := stage.ParsePattern(map[string]any{"properties": all}); err == nil || !strings.Contains(err.Error(), "more than 1000 combinations") {
		t.Errorf("ten choices of two: %v", err)
	}
}

const orKey = "$or"

func TestAddressesAndWildcardsAtTheirEdges(t *testing.T) {
	for _, tc := range []struct {
		operator, operand, text string
		want                    bool
	}{
		{"cidr", "10.0.0.0/8", "::ffff:10.1.2.3", true}, // the same address as a socket of IPv6 writes it
		{"cidr", "255.0.0.0/8", "0000:0000:0000:0000:0000:ffff:255.255.255.255", true},
		{"cidr", "10.0.0.0/8", "10.255.255.255", true},
		{"cidr", "10.0.0.0/8", "11.0.0.0", false},
		{"wildcard", "ab*b", "ab", false}, // what the beginning took is not the end's as well
		{"wildcard", "ab*b", "abb", true},
		{"wildcard", "a*bc*c", "abc", false},
	} {
		m := &bridge.Message{Properties: bridge.NewProperties([]bridge.Entry{{Name: "p", Value: bridge.String(tc.text)}})}
		p, err := stage.ParsePattern(map[string]any{"properties": map[string]any{"p": []any{map[string]any{tc.operator: tc.operand}}}})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := p.Matches(m); err != nil || got != tc.want {
			t.Errorf("%s %s on %s: got %v, %v", tc.operator, tc.operand, tc.text, got, err)
		}
	}
}

func TestMatchesRefusesWhatNoEnvelopeHolds(t *testing.T) {
	v := bridge.ListValue(nil)
	for range 70 {
		v = bridge.ListValue([]bridge.Value{v})
	}
	m := &bridge.Message{Properties: bridge.NewProperties([]bridge.Entry{{Name: "deep", Value: v}})}
	if _, err := mustParse(t, `{"properties": {"deep": ["x"]}}`).Matches(m); bridge.ClassOf(err) != bridge.Permanent {
		t.Errorf("got %v", err)
	}
}

func TestProcessKeepsOrDrops(t *testing.T) {
	var s bridge.Stage = mustParse(t, `{"type": ["order"]}`)
	m := order()
	if got, err := s.Process(t.Context(), m); got != m || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := s.Process(t.Context(), &bridge.Message{}); got != nil || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
}

// fastPatterns are the ones that need no allocation.
var fastPatterns = []string{
	`{"type": ["order"]}`,
	`{"destination": ["queue:orders.eu"]}`,
	`{"destination": [{"wildcard": "*ders.*"}, {"anything-but": {"prefix": "topic:"}}]}`,
	`{"timestamp": [{"prefix": "2026-11-22"}], "expiration": [{"anything-but": "2026"}]}`,
	`{"properties": {"region": ["EU", "US"], "amount": [{"numeric": [">", 5]}], "rate": [1.1], "weight": [2], "express": [true], "gone": [null]}}`,
	`{"properties": {"region": [{"prefix": {"equals-ignore-case": "e"}}], "ip": [{"cidr": "10.0.0.0/8"}], "absent": [{"exists": false}]}}`,
	`{"properties": {"tags": ["deep"], "order": {"id": [7]}}, "property_types": {"amount": ["long"]}}`,
	`{"$or": [{"type": ["x"]}, {"properties": {"region": ["EU"]}}], "body": [{"prefix": "hello"}]}`,
}

func TestMatchesAllocatesNothing(t *testing.T) {
	m := order()
	m.Destination.Name = strings.Repeat("x", 100) + "orders.eu"
	patterns := append(slices.Clone(fastPatterns), `{"destination": [{"suffix": ".eu"}]}`)
	for _, pattern := range patterns {
		p := mustParse(t, pattern)
		if n := testing.AllocsPerRun(100, func() { _, _ = p.Matches(m) }); n != 0 {
			t.Errorf("%s: %v allocations", pattern, n)
		}
	}
}
