package stomplocal

import "testing"

func TestSelector(t *testing.T) {
	m := &message{
		priority: 7, jmsType: "order", persistent: true, group: "g1",
		properties: []Property{{"region", "eu"}, {"n", "5"}, {"flag", "true"}, {"name", "50%_off"}, {"quote", "it's"}, {"not a number", "x"}},
	}
	for text, want := range map[string]bool{
		"region = 'eu'":                           true,
		"region <> 'eu'":                          false,
		"region > 'a'":                            false, // strings have no order
		"n > 4":                                   true,
		"n > 5":                                   false,
		"n >= 5 AND n <= 5":                       true,
		"n = 5.0":                                 true,
		"n = '5'":                                 true,
		"5 < n":                                   false,
		"-1 < n":                                  true,
		"region = 4":                              false,
		"missing = 'x'":                           false,
		"NOT missing = 'x'":                       false, // unknown
		"missing IS NULL":                         true,
		"region IS NOT NULL":                      true,
		"region IN ('us', 'eu')":                  true,
		"region NOT IN ('us')":                    true,
		"missing NOT IN ('us')":                   false,
		"region LIKE 'e_'":                        true,
		"region LIKE 'e%'":                        true,
		"region LIKE '%x%'":                       false,
		"region NOT LIKE 'u%'":                    true,
		`name LIKE '50\%\_%' ESCAPE '\'`:          true,
		`name LIKE '50\_%' ESCAPE '\'`:            false,
		"n BETWEEN 1 AND 5":                       true,
		"n NOT BETWEEN 1 AND 5":                   false,
		"flag":                                    true,
		"flag = TRUE AND NOT FALSE":               true,
		"flag = false":                            false,
		"quote = 'it''s'":                         true,
		"JMSPriority > 4 AND JMSType = 'order'":   true,
		"JMSDeliveryMode = 'PERSISTENT'":          true,
		"JMSXGroupID = 'g1'":                      true,
		"JMSCorrelationID IS NULL":                true,
		"region = 'us' OR n = 5 AND flag":         true,
		"(region = 'us' OR n = 5) AND not (flag)": false,
	} {
		s, err := parseSelector(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := s.matches(m); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

func TestSelectorThatIsNotUnderstoodIsRefused(t *testing.T) {
	for _, text := range []string{
		"", "n +", "n + 1 = 2", "n = 'open", "n = ", "(n = 1", "n = 1)", "n NOT", "n NOT = 1", "n IN ()", "n IN (1)", "n LIKE 1",
		"n LIKE 'a' ESCAPE 'ab'", "n BETWEEN 1", "n IS 1", "5", "'x'", "n = 1 n = 2", "AND", "n = 1.2.3", "NULL IS NULL", "a = 1; b",
		deepNot(1000),
	} {
		if _, err := parseSelector(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

func deepNot(n int) string {
	text := ""
	for range n {
		text += "NOT "
	}
	return text + "flag"
}

func FuzzSelector(f *testing.F) {
	for _, text := range []string{"a = 1 AND b LIKE 'x%' ESCAPE '!'", "NOT (a IN ('x','y') OR b IS NOT NULL)", "n BETWEEN -1 AND 2e3"} {
		f.Add(text, "v")
	}
	f.Fuzz(func(t *testing.T, text, v string) {
		s, err := parseSelector(text)
		if err != nil {
			return
		}
		m := &message{properties: []Property{{"a", v}, {"b", v}, {"n", v}}}
		if s.matches(m) && (not{s.root}).eval(m) == yes {
			t.Errorf("%q selects a message, and so does its negation", text)
		}
	})
}

func TestWildcards(t *testing.T) {
	for _, tc := range []struct {
		pattern, name string
		want          bool
	}{
		{"a.b", "a.b", true},
		{"a.*", "a.b", true},
		{"a.*", "a", false},
		{"a.*", "a.b.c", false},
		{"*.b", "a.b", true},
		{"a.>", "a", true},
		{"a.>", "a.b.c", true},
		{"a.>", "ab", false},
		{">", "a.b", true},
		{"a.*.c", "a.b.c", true},
		{"a.*.c", "a.b.d", false},
	} {
		if got := matches(tc.pattern, tc.name); got != tc.want {
			t.Errorf("%s covers %s: %v", tc.pattern, tc.name, got)
		}
	}
}
