package states_test

import (
	"math/rand/v2"
	"strconv"
	"testing"

	"portolan/local/clock"
	"portolan/local/disk"
	"portolan/local/states"
)

// loop counts to 250: 500 transitions between a Pass and a Choice.
const loop = `{"StartAt":"Count","States":{
	"Count":{"Type":"Pass","Parameters":{"n.$":"States.MathAdd($.n, 1)"},"Next":"Enough"},
	"Enough":{"Type":"Choice","Choices":[{"Variable":"$.n","NumericLessThan":250,"Next":"Count"}],"Default":"Done"},
	"Done":{"Type":"Succeed"}}}`

const hundred = `{"StartAt":"M","States":{"M":{"Type":"Map","End":true,"ItemSelector":{"i.$":"$$.Map.Item.Index",
	"v.$":"$$.Map.Item.Value"},"ItemProcessor":{"StartAt":"P","States":{"P":{"Type":"Pass","Next":"Q"},"Q":{"Type":"Pass","End":true}}}}}}`

func benchmark(b *testing.B, definition, input string, transitions int, d *disk.Disk) {
	id := 0
	s, err := states.New(states.Config{
		Clock: clock.New(1), Region: region, Account: account, Tasks: &tasks{}, Retain: 10, Disk: d,
		NewID: func() string { id++; return "id-" + strconv.Itoa(id) }, Rand: rand.New(rand.NewPCG(1, 2)),
	})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	machine, err := s.CreateStateMachine(states.MachineInput{Name: "m", Definition: definition, RoleArn: role})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		x, err := s.Start(machine, "", input)
		if err != nil {
			b.Fatal(err)
		}
		if end, err := s.Wait(b.Context(), x.ExecutionArn); err != nil || end.Status != "SUCCEEDED" {
			b.Fatalf("%+v, %v", end, err)
		}
	}
	b.ReportMetric(float64(transitions)*float64(b.N)/b.Elapsed().Seconds(), "transitions/s")
}

func items(n int) string {
	text := "["
	for i := range n {
		text += `{"item":` + strconv.Itoa(i) + "},"
	}
	return text[:len(text)-1] + "]"
}

func BenchmarkLoop500(b *testing.B) { benchmark(b, loop, `{"n":0}`, 501, nil) }
func BenchmarkMap100(b *testing.B)  { benchmark(b, hundred, items(100), 201, nil) }

func BenchmarkLoop500OnDisk(b *testing.B) {
	d, err := disk.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	benchmark(b, loop, `{"n":0}`, 501, d)
}
