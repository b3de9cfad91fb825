package lean

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzEntries wants the scanner to find what encoding/json has written.
func FuzzEntries(f *testing.F) {
	f.Add("a", "x", "v")
	f.Add("b-1", `"\`, `{"Id":"["}`)
	f.Add("", "\x00\u2028 \U0001F600", "]")
	f.Fuzz(func(t *testing.T, id, body, value string) {
		if !utf8.ValidString(id) || !utf8.ValidString(body) {
			return // encoding/json would change them
		}
		type entry struct {
			MessageAttributes map[string]any
			ID                string `json:"Id"`
			MessageBody       string
		}
		in, err := json.Marshal(map[string]any{
			"QueueUrl": value, "Entries": []entry{{map[string]any{value: []any{value, map[string]string{"Id": value}, 1.5, nil}}, id, body}, {nil, "2", value}},
		})
		if err != nil {
			t.Fatal(err)
		}
		out, err := (&Endpoint{}).batch(nil, in)
		if err != nil {
			t.Fatalf("%v: %s", err, in)
		}
		var got struct {
			Successful []struct {
				ID               string `json:"Id"`
				MD5OfMessageBody string
			}
		}
		if err := json.Unmarshal(out, &got); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		sum := md5.Sum([]byte(body))
		if len(got.Successful) != 2 || got.Successful[0].ID != id || got.Successful[1].ID != "2" || got.Successful[0].MD5OfMessageBody != hex.EncodeToString(sum[:]) {
			t.Errorf("answer %s to %s", out, in)
		}
	})
}

// FuzzBatch wants an answer or an error for anything, and no panic.
func FuzzBatch(f *testing.F) {
	f.Add([]byte(`{"Entries":[{"Id":"a"`))
	f.Add([]byte(` { "QueueUrl" : "q.fifo" , "n" : [1, {"x":null}] , "Entries" : [ ] } `))
	f.Add([]byte(`{"Entries":[{"Id":"a","MessageBody":"` + strings.Repeat("[", 1000)))
	f.Fuzz(func(t *testing.T, in []byte) {
		out, err := (&Endpoint{}).batch(nil, in)
		if (err == nil) != (out != nil) {
			t.Errorf("answer %q and error %v", out, err)
		}
	})
}
