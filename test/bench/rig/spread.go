package rig

import (
	"fmt"
	"slices"
)

// Spread is the median of some values, the lowest and the highest.
type Spread struct{ Median, Low, High float64 }

// SpreadOf returns the spread of a value of each sample; the zero Spread where there is none.
func SpreadOf[S any](samples []S, value func(S) float64) Spread {
	all := make([]float64, 0, len(samples))
	for _, s := range samples {
		all = append(all, value(s))
	}
	if len(all) == 0 {
		return Spread{}
	}
	slices.Sort(all)
	m := all[len(all)/2]
	if len(all)%2 == 0 {
		m = (all[len(all)/2-1] + m) / 2
	}
	return Spread{m, all[0], all[len(all)-1]}
}

// Format prints "MEDIAN (LOWEST to HIGHEST)", each with a verb of fmt, and "-" where nothing was measured.
func (s Spread) Format(verb string) string {
	if s.High == 0 {
		return "-"
	}
	return fmt.Sprintf(verb+" ("+verb+" to "+verb+")", s.Median, s.Low, s.High)
}
