package main

import (
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	const ok = `{"Action":"output","Package":"p","Output":"ok  \tp\t0.1s\n"}` + "\n" + `{"Action":"pass","Package":"p"}` + "\n"
	for _, c := range []struct{ name, in, want, printed string }{
		{"all passed", `{"Action":"output","Package":"p","Test":"TestA","Output":"noise\n"}` + "\n" + `{"Action":"pass","Package":"p","Test":"TestA"}` + "\n" + ok, "", "ok  \tp\t0.1s\n"},
		{
			"a failure", `{"Action":"output","Package":"p","Test":"TestA","Output":"why\n"}` + "\n" + `{"Action":"fail","Package":"p","Test":"TestA"}` + "\n" + ok,
			"failed:\n  p TestA", "why\nok  \tp\t0.1s\n",
		},
		{
			"a skip", `{"Action":"output","Package":"p","Test":"TestA","Output":"no broker\n"}` + "\n" + `{"Action":"skip","Package":"p","Test":"TestA"}` + "\n" + ok,
			"skipped, which is a failure here:\n  p TestA: no broker", "ok  \tp\t0.1s\n",
		},
		{"a package without tests", `{"Action":"skip","Package":"q"}` + "\n" + ok, "", "ok  \tp\t0.1s\n"},
		{"it does not build", `{"ImportPath":"p","Action":"build-output","Output":"bad\n"}` + "\n" + `{"ImportPath":"p","Action":"build-fail"}` + "\n", "failed:\n  p (does not build)", "bad\n"},
		{"nothing", "", "no package was tested", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out strings.Builder
			err := run(strings.NewReader(c.in), &out)
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != c.want || out.String() != c.printed {
				t.Errorf("error %q, want %q; printed %q, want %q", got, c.want, out.String(), c.printed)
			}
		})
	}
}
