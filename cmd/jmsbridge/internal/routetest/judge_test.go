package routetest

import "testing"

func TestDiffComparesWhatIsExpected(t *testing.T) {
	for _, tc := range []struct {
		want, got string
		same      bool
	}{
		{`{}`, `{"a": 1}`, true},
		{`{}`, `"text"`, false},
		{`{"a": 1}`, `{"a": 1, "b": 2}`, true},
		{`{"a": 1}`, `{"b": 1}`, false},
		{`{"a": null}`, `{"b": 1}`, true},
		{`{"a": null}`, `{"a": null}`, true},
		{`{"a": null}`, `{"a": 1}`, false},
		{`{"a": {"b": 1}}`, `{"a": {"b": 1, "c": 2}}`, true},
		{`[{"a": 1}]`, `[{"a": 1, "b": 2}]`, true},
		{`[1]`, `[1, 2]`, false},
		{`[1, 2]`, `[1]`, false},
		{`[1, 2]`, `[2, 1]`, false},
		{`1`, `1.0`, true},
		{`100`, `1e2`, true},
		{`9007199254740992`, `9007199254740993`, false},
		{`0.1`, `0.10000000000000000001`, false},
		{`1e999999999`, `1e999999998`, false},
		{`1e999999999`, `1e999999999`, true},
		{`1`, `"1"`, false},
		{`"1"`, `1`, false},
		{`true`, `1`, false},
		{`{"a": 1}`, `"{\"a\": 1, \"b\": 2}"`, true},
		{`[1]`, `"[1.0]"`, true},
		{`{"a": 1}`, `"{\"a\": 1} {}"`, false},
		{`"{\"a\": 1}"`, `"{\"a\": 1}"`, true},
		{`"a"`, `"b"`, false},
	} {
		want, err := decode([]byte(tc.want))
		if err != nil {
			t.Fatal(err)
		}
		got, err := decode([]byte(tc.got))
		if err != nil {
			t.Fatal(err)
		}
		if diff := Diff(want, got); (diff == "") != tc.same {
			t.Errorf("%s and %s: %q", tc.want, tc.got, diff)
		}
	}
}
