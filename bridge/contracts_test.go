package bridge_test

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jmsbridge/jmsbridge/bridge"
)

func TestValuesKeepTheirTypeAndContent(t *testing.T) {
	for _, tc := range []struct {
		name  string
		value bridge.Value
		typ   bridge.ValueType
		read  func(bridge.Value) any
		want  any
	}{
		{"boolean", bridge.Boolean(true), bridge.BooleanType, func(v bridge.Value) any { return v.Bool() }, true},
		{"byte", bridge.Byte(math.MinInt8), bridge.ByteType, func(v bridge.Value) any { return v.Int64() }, int64(math.MinInt8)},
		{"short", bridge.Short(math.MinInt16), bridge.ShortType, func(v bridge.Value) any { return v.Int64() }, int64(math.MinInt16)},
		{"int", bridge.Int(math.MinInt32), bridge.IntType, func(v bridge.Value) any { return v.Int64() }, int64(math.MinInt32)},
		{"long", bridge.Long(math.MinInt64), bridge.LongType, func(v bridge.Value) any { return v.Int64() }, int64(math.MinInt64)},
		{"float", bridge.Float(0.1), bridge.FloatType, func(v bridge.Value) any { return float32(v.Float64()) }, float32(0.1)},
		{"double", bridge.Double(-0.1), bridge.DoubleType, func(v bridge.Value) any { return v.Float64() }, -0.1},
		{"char", bridge.Char(0xD83D), bridge.CharType, func(v bridge.Value) any { return v.Int64() }, int64(0xD83D)},
		{"string", bridge.String("1"), bridge.StringType, func(v bridge.Value) any { return v.Str() }, "1"},
		{"bytes", bridge.Bytes("\x00\xff"), bridge.BytesType, func(v bridge.Value) any { return v.Str() }, "\x00\xff"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := tc.value.Type(); got != tc.typ {
				t.Errorf("Type() = %v, want %v", got, tc.typ)
			}
			if diff := cmp.Diff(tc.want, tc.read(tc.value)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestValuesOfDifferentTypesDiffer(t *testing.T) {
	one := []bridge.Value{
		bridge.Null(), bridge.Boolean(true), bridge.Byte(1), bridge.Short(1), bridge.Int(1), bridge.Long(1), bridge.Float(1),
		bridge.Double(1), bridge.Char(1), bridge.String("1"), bridge.Bytes("1"), bridge.MapValue(nil), bridge.ListValue(nil),
	}
	for i, a := range one {
		for j, b := range one {
			if a.Equal(b) != (i == j) {
				t.Errorf("%v.Equal(%v) = %v", a.Type(), b.Type(), a.Equal(b))
			}
		}
	}
}

func TestPropertiesCompareWithoutOrder(t *testing.T) {
	a := bridge.NewProperties([]bridge.Entry{{Name: "a", Value: bridge.Int(1)}, {Name: "B", Value: bridge.Null()}})
	b := bridge.NewProperties([]bridge.Entry{{Name: "B", Value: bridge.Null()}, {Name: "a", Value: bridge.Int(1)}})
	if !a.Equal(b) {
		t.Error("the same properties in another order are not equal")
	}
	if a.Equal(b.With("a", bridge.Long(1))) {
		t.Error("an int equals a long")
	}
	if _, ok := a.Lookup("A"); ok {
		t.Error("names are not case-sensitive")
	}
}

func TestDeliverySettlesOnce(t *testing.T) {
	l := &lease{}
	d := &bridge.Delivery{Lease: l, Tag: 7}
	if err := d.Settle(bridge.Accept); err != nil {
		t.Fatal(err)
	}
	if err := d.Settle(bridge.Accept); !errors.Is(err, bridge.ErrSettled) {
		t.Errorf("second Settle = %v, want ErrSettled", err)
	}
	if diff := cmp.Diff([]uint64{7}, l.tags); diff != "" {
		t.Error(diff)
	}
}

type lease struct{ tags []uint64 }

func (l *lease) Settle(tag uint64, _ bridge.Outcome) error { l.tags = append(l.tags, tag); return nil }
func (l *lease) Lost() bool                                { return false }

func TestErrorClassSurvivesWrapping(t *testing.T) {
	err := fmt.Errorf("sending: %w", &bridge.Error{
		Class: bridge.Throttled, Code: "RequestThrottled", Err: errors.New("slow down"), Remedy: "ask for more",
	})
	if got := bridge.ClassOf(err); got != bridge.Throttled {
		t.Errorf("ClassOf = %v, want throttled", got)
	}
	if got, want := err.Error(), "sending: RequestThrottled: slow down; ask for more"; got != want {
		t.Errorf("text = %q, want %q", got, want)
	}
	if got := bridge.ClassOf(errors.New("odd")); got != bridge.Transient {
		t.Errorf("an unknown error is %v, want transient", got)
	}
	if got := bridge.AsError(bridge.Classed(bridge.Permanent, err)); got.Class != bridge.Permanent || got.Code != "RequestThrottled" {
		t.Errorf("Classed = %v %q", got.Class, got.Code)
	}
}

func TestARemedyIsSaidOnce(t *testing.T) {
	inner := &bridge.Error{Class: bridge.Fatal, Code: "SecurityException", Err: errors.New("refused"), Remedy: "check the password"}
	outer := &bridge.Error{Class: bridge.Fatal, Code: "SecurityException", Err: fmt.Errorf("not tried again: %w", inner), Remedy: "check the password"}
	const want = "not tried again: SecurityException: refused; check the password"
	if got := outer.Error(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if reason, remedy := bridge.Explain(outer); reason+"; "+remedy != want || remedy != inner.Remedy {
		t.Errorf("explained as %q and %q", reason, remedy)
	}
}
