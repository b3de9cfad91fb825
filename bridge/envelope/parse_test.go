package envelope_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/envelope"
)

func TestParseFillsInWhatJMSGives(t *testing.T) {
	m, err := envelope.Parse([]byte(` { "body" : "hello" } `))
	if err != nil {
		t.Fatal(err)
	}
	if m.Priority != 4 || !m.Persistent || m.Redelivered || !m.Body.Equal(bridge.NewText("hello")) || !m.Timestamp.IsZero() {
		t.Errorf("got %+v", m)
	}
	if m, err = envelope.Parse([]byte(`{}`)); err != nil || m.Body.Kind() != bridge.NoBody {
		t.Errorf("got %+v, %v", m, err)
	}
}

func TestParseTakesWhatPeopleWrite(t *testing.T) {
	m, err := envelope.Parse([]byte(`{
		"timestamp": "2026-11-24T04:00:00+01:00",
		"properties": {"n": null, "m": {"x": 1.5e3}, "l": [1], "big": 12345678901234567890, "s": "x", "i": 7, "text": "5", "d": 3},
		"property_types": {"big": "double", "s": "string", "i": "int", "text": "long", "d": "double"},
		"body_type": "text", "body": "\u00e9\ud83d\ude00\/"}`))
	if err != nil {
		t.Fatal(err)
	}
	want := bridge.NewProperties([]bridge.Entry{
		{Name: "n", Value: bridge.Null()},
		{Name: "m", Value: bridge.MapValue([]bridge.Entry{{Name: "x", Value: bridge.Double(1500)}})},
		{Name: "l", Value: bridge.ListValue([]bridge.Value{bridge.Int(1)})},
		{Name: "big", Value: bridge.Double(12345678901234567890)},
		{Name: "s", Value: bridge.String("x")},
		{Name: "i", Value: bridge.Int(7)},
		{Name: "text", Value: bridge.Long(5)},
		{Name: "d", Value: bridge.Double(3)},
	})
	if !m.Properties.Equal(want) {
		t.Errorf("got %v", m.Properties)
	}
	if m.Body.Data() != "é😀/" || !m.Timestamp.Equal(time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)) {
		t.Errorf("got %q %v", m.Body.Data(), m.Timestamp)
	}
}

func TestParseRefuses(t *testing.T) {
	cases := map[string]string{
		``:                                           "byte 0: the text ends too early, where '{' should be",
		`[]`:                                         "'{' should be here, not '['",
		`{`:                                          "a name in quotes should be here",
		`{}{}`:                                       "something follows the JSON text",
		`{"priority":4,}`:                            "a name in quotes should be here",
		`{"colour":1}`:                               "colour: there is no such field in an envelope",
		`{"Priority":1}`:                             "Priority: there is no such field",
		`{"priority":1,"priority":1}`:                `the name "priority" is there twice`,
		`{"priority":256}`:                           "priority: 256 is not a whole number from 0 to 255",
		`{"priority":4.0}`:                           "priority: 4.0 is not a whole number",
		`{"priority":04}`:                            "',' should be here, not '4'",
		`{"priority":"4"}`:                           "a digit should be here",
		`{"group_seq":2147483648}`:                   "group_seq: 2147483648 is not a whole number",
		`{"persistent":null}`:                        "persistent: true or false should be here, not null",
		`{"persistent":1}`:                           "a value should be here, not '1'",
		`{"persistent":truer}`:                       "',' should be here, not 'r'",
		`{"message_id":5}`:                           "message_id: byte 14: '\"' should be here, not '5'",
		`{"message_id":"` + "\xff" + `"}`:            "not valid UTF-8",
		`{"message_id":"` + "\\n\xff" + `"}`:         "not valid UTF-8",
		`{"message_id":"` + "\n" + `"}`:              "a control character stands in a string without an escape",
		`{"message_id":"\ud800"}`:                    "half of a surrogate pair is no text",
		`{"message_id":"\udc00\ud800"}`:              "half of a surrogate pair",
		`{"message_id":"\ud800\u0041"}`:              "half of a surrogate pair",
		`{"message_id":"\x"}`:                        `there is no escape "\\x"`,
		`{"message_id":"\u12g4"}`:                    "four hexadecimal digits",
		`{"message_id":"\u12`:                        "in an escape",
		`{"message_id":"a`:                           "in a string",
		`{"message_id":"\`:                           "in a string",
		`{"destination":"orders"}`:                   `destination: "orders" is not a destination (queue:NAME`,
		`{"destination":"queue:"}`:                   "is not a destination",
		`{"timestamp":"yesterday"}`:                  "timestamp: not an RFC 3339 instant",
		`{"timestamp":"2026-02-30T00:00:00.000Z"}`:   "timestamp: not an RFC 3339 instant",
		`{"timestamp":"2026-11-24T03:00:00.0001Z"}`:  "finer than a millisecond",
		`{"timestamp":"+12026-02-30T00:00:00.000Z"}`: "timestamp: not an RFC 3339 instant",
		`{"timestamp":"++12026-02-3T00:00:00.000Z"}`: "timestamp: not an RFC 3339 instant",
		`{"timestamp":"+012026-02-03T00:00:00Z"}`:    "timestamp: not an RFC 3339 instant",
		`{"properties":[]}`:                          "'{' should be here, not '['",
		`{"properties":{"a":1e39},"property_types":{"a":"float"}}`:                                "1e39 is too large for a float",
		`{"properties":{"n":2147483648}}`:                                                         "properties: n: 2147483648 is too large for an int; its type has to be named",
		`{"properties":{"n":1e999}}`:                                                              "properties: n: 1e999 is too large for a double",
		`{"properties":{"n":1},"property_types":{"n":"integer"}}`:                                 `property_types: n: there is no type "integer"`,
		`{"properties":{"n":1},"property_types":{"m":"long"}}`:                                    `property_types names "m", which is not there`,
		`{"property_types":{"m":"long"}}`:                                                         `property_types names "m", which is not there`,
		`{"properties":{"n":200},"property_types":{"n":"byte"}}`:                                  "properties: n: 200 is not a byte",
		`{"properties":{"n":1.0},"property_types":{"n":"long"}}`:                                  "properties: n: 1.0 is not a long",
		`{"properties":{"n":1},"property_types":{"n":"bytes"}}`:                                   "properties: n: named bytes, but it is a number",
		`{"properties":{"n":"1"},"property_types":{"n":"int"}}`:                                   "properties: n: named int, but it is a string",
		`{"properties":{"n":true},"property_types":{"n":"int"}}`:                                  "named int, but it is a boolean",
		`{"properties":{"n":null},"property_types":{"n":"int"}}`:                                  "named int, but it is null",
		`{"properties":{"n":{}},"property_types":{"n":"list"}}`:                                   "named list, but it is an object",
		`{"properties":{"n":[]},"property_types":{"n":"map"}}`:                                    "named map, but it is an array",
		`{"properties":{"n":"1.5"},"property_types":{"n":"float"}}`:                               "neither a number nor NaN",
		`{"properties":{"n":"x"},"property_types":{"n":"long"}}`:                                  `properties: n: "x" is not a long`,
		`{"properties":{"n":"ab"},"property_types":{"n":"char"}}`:                                 "a char is one UTF-16 unit",
		`{"properties":{"n":""},"property_types":{"n":"char"}}`:                                   "a char is one UTF-16 unit",
		`{"properties":{"n":"😀"},"property_types":{"n":"char"}}`:                                  "a char is one UTF-16 unit",
		`{"properties":{"n":65},"property_types":{"n":"char"}}`:                                   "only half of a surrogate pair",
		`{"properties":{"n":"AB"},"property_types":{"n":"bytes"}}`:                                "not base64",
		`{"properties":{"m":{"a/b":[1]}},"property_types":{"m/a~1b/0":"byte","m/a~1b/1":"byte"}}`: `names "m/a~1b/1", which is not there`,
		`{"properties":{"m":{"a/b":[999]}},"property_types":{"m/a~1b/0":"byte"}}`:                 "properties: m/a~1b/0: 999 is not a byte",
		`{"body":{}}`:                                             "body_type is missing",
		`{"body_type":"text"}`:                                    `a body of type "text" is missing`,
		`{"body_type":"none","body":""}`:                          `body_type is "none", and there is a body`,
		`{"body_type":"xml","body":""}`:                           `body_type: "xml" is not one of`,
		`{"body_type":"text","body":5}`:                           "body: ",
		`{"body_type":"bytes","body":"$"}`:                        "body: not base64",
		`{"body_type":"bytes","body":"AAA="` + "}":                "",
		`{"body_type":"bytes","body":"AAB="}`:                     "body: not base64",
		`{"body_type":"bytes","body":"AA\nA="}`:                   "body: not base64",
		`{"body_type":"map","body":[]}`:                           "body: ",
		`{"body_type":"stream","body":{}}`:                        "body: ",
		`{"body_type":"text","body":"","body_types":{"0":"int"}}`: `body_types names "0", which is not there`,
		`{"body_type":"stream","body":` + nestedJSON(65) + `}`:    "more than 64 levels",
		`{"properties":{"x":` + strings.Repeat("[", 1<<20) + `}}`: "more than 64 levels",
	}
	for text, want := range cases {
		_, err := envelope.Parse([]byte(text))
		if want == "" {
			if err != nil {
				t.Errorf("%s: %v", text, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "reading envelope: ") {
			t.Errorf("%.80s\n got  %v\n want %s", text, err, want)
		}
	}
	if _, err := envelope.Parse([]byte(`{"body_type":"stream","body":` + nestedJSON(64) + `}`)); err != nil {
		t.Errorf("the deepest that is allowed: %v", err)
	}
}

func TestPartsRefuse(t *testing.T) {
	if _, err := envelope.ParseProperties([]byte(`{"properties":{},"body":""}`)); err == nil {
		t.Error("properties with a body are accepted")
	}
	if _, err := envelope.ParseBody([]byte(`{"body_type":"map","body":{},"priority":4}`)); err == nil {
		t.Error("a body with a header is accepted")
	}
	if _, err := envelope.ParseContent(bridge.MapBody, []byte(`{"a":1} x`), nil); err == nil {
		t.Error("a body with something behind it is accepted")
	}
	if _, err := envelope.ParseContent(bridge.MapBody, []byte(`{"a":1}`), []byte(`{"b":"int"}`)); err == nil {
		t.Error("types of something else are accepted")
	}
}

func TestManyNamesAreToldApart(t *testing.T) {
	var b strings.Builder
	for i := range 5000 {
		b.WriteString(`"`)
		b.WriteString(strings.Repeat("x", i%7))
		b.WriteString(strings.Repeat("y", i/7))
		b.WriteString(`":1,`)
	}
	text := `{"properties":{` + strings.TrimSuffix(b.String(), ",")
	m, err := envelope.Parse([]byte(text + `}}`))
	if err != nil || m.Properties.Len() != 5000 {
		t.Fatalf("%v", err)
	}
	if _, err := envelope.Parse([]byte(text + `,"xxyy":1}}`)); err == nil || !strings.Contains(err.Error(), `"xxyy" is there twice`) {
		t.Errorf("got %v", err)
	}
}

// FuzzParse: whatever parses is JSON that encodes again to something that parses to the same.
func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob(filepath.Join("testdata", "golden", "*.json"))
	if len(files) == 0 {
		f.Fatal("no golden files")
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{"properties":{"a":{"b":[1,"x",null,{}]}},"property_types":{"a/b/0":"byte"},"body":"\ud83d\ude00"}`))
	f.Add([]byte(`{"timestamp":"+292278994-08-17T07:12:55.807Z","expiration":"-292275055-05-16T16:47:04.192Z"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := envelope.Parse(data)
		if err != nil {
			return
		}
		if !json.Valid(data) {
			t.Fatalf("accepted, but not JSON: %q", data)
		}
		out, err := envelope.Append(nil, m)
		if err != nil {
			t.Fatalf("can't be encoded again: %v", err)
		}
		back, err := envelope.Parse(out)
		if err != nil || !equal(m, back) {
			t.Fatalf("changed on the way: %v\n%s\n%s", err, data, out)
		}
	})
}
