package demo

import (
	"strings"
	"testing"
)

func TestEachRequestGetsItsAnswerOnceThroughEveryFault(t *testing.T) {
	var events []string
	r, err := RunReply(t.Context(), Options{Messages: 200, Event: func(text string) { events = append(events, text) }})
	if err != nil {
		t.Fatal(err)
	}
	if wrong := r.Problems(); len(wrong) > 0 {
		t.Errorf("%v", wrong)
	}
	if r.Asked != 200 || r.Answered != 200 || r.Wrong != 0 || r.Twice != 0 || len(r.Faults) != 3 || r.Median <= 0 {
		t.Errorf("%+v", r)
	}
	if got := strings.Count(strings.Join(events, "\n"), "survived: "); got != 3 {
		t.Errorf("%d faults were survived before the viewer's eyes:\n%s", got, strings.Join(events, "\n"))
	}
}
