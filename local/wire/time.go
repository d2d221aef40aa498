package wire

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// A Time is a member of type timestamp: seconds since 1970 as a number in JSON
// and CBOR, ISO 8601 in Query. AWS keeps milliseconds.
type Time struct{ time.Time }

// At is the Time of t.
func At(t time.Time) Time { return Time{t} }

// AtPtr is a pointer to the Time of t, or nil where t is zero, for members that
// may be absent.
func AtPtr(t time.Time) *Time {
	if t.IsZero() {
		return nil
	}
	return &Time{t}
}

func (t Time) seconds() float64 { return float64(t.UnixMilli()) / 1000 }

func fromSeconds(s float64) Time {
	whole, fraction := math.Modf(s)
	nanos := int64(math.Round(fraction*1e6)) * 1e3
	return Time{time.Unix(int64(whole), nanos).UTC()}
}

// MarshalJSON writes seconds with up to three decimals.
func (t Time) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, t.seconds(), 'f', -1, 64), nil
}

// UnmarshalJSON reads seconds, or ISO 8601 in a string.
func (t *Time) UnmarshalJSON(raw []byte) error {
	if string(raw) == "null" {
		return nil
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return t.UnmarshalText([]byte(s))
	}
	seconds, err := strconv.ParseFloat(string(raw), 64)
	if err != nil {
		return fmt.Errorf("%s is no timestamp", raw)
	}
	*t = fromSeconds(seconds)
	return nil
}

// MarshalText writes ISO 8601 with milliseconds.
func (t Time) MarshalText() ([]byte, error) {
	return t.UTC().AppendFormat(nil, "2006-01-02T15:04:05.000Z"), nil
}

// UnmarshalText reads ISO 8601, with or without a fraction and a zone.
func (t *Time) UnmarshalText(text []byte) error {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02"} {
		if parsed, err := time.Parse(layout, string(text)); err == nil {
			*t = Time{parsed.UTC()}
			return nil
		}
	}
	return fmt.Errorf("%q is no timestamp", text)
}

// MarshalCBOR writes seconds under tag 1.
func (t Time) MarshalCBOR() ([]byte, error) {
	return cbor.Marshal(cbor.Tag{Number: 1, Content: t.seconds()})
}

// UnmarshalCBOR reads seconds, whole or not, under tag 1 or bare.
func (t *Time) UnmarshalCBOR(raw []byte) error {
	var value any
	if err := cbor.Unmarshal(raw, &value); err != nil {
		return err
	}
	switch v := value.(type) {
	case time.Time:
		*t = Time{v.UTC()}
	case float64:
		*t = fromSeconds(v)
	case uint64:
		*t = fromSeconds(float64(v))
	case nil:
	default:
		return fmt.Errorf("%v is no timestamp", v)
	}
	return nil
}
