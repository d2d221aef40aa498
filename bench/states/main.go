// Command states measures state transitions a second of the embedded Step Functions
// beside npm's aws-local-stepfunctions, one execution at a time. It exits with 1 when
// ours is not at least five times as fast. See bench/README.md for how to install the
// peer.
package main

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"portolan/local/clock"
	"portolan/local/states"
)

//go:embed *.asl.json
var machines embed.FS

// factorMin is how many times as fast ours has to be.
const factorMin = 5

type workload struct {
	file, input string
	transitions int
}

func main() {
	seconds := flag.Float64("seconds", 3, "how long each side of a round runs")
	rounds := flag.Int("rounds", 3, "how often both sides run in turn; the medians count")
	flag.Parse()
	if err := run(*seconds, *rounds); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(seconds float64, rounds int) error {
	items := make([]map[string]int, 100)
	for i := range items {
		items[i] = map[string]int{"item": i}
	}
	hundred, err := json.Marshal(items)
	if err != nil {
		return err
	}
	slow := []string{}
	for _, w := range []workload{{"loop.asl.json", `{"n":0}`, 501}, {"map.asl.json", string(hundred), 201}} {
		factor, err := w.compare(seconds, rounds)
		if err != nil {
			return err
		}
		if factor < factorMin {
			slow = append(slow, w.file)
		}
	}
	if len(slow) > 0 {
		return fmt.Errorf("less than %d times as fast: %s", factorMin, strings.Join(slow, ", "))
	}
	return nil
}

// compare runs both sides in turn, so that a busy machine slows both.
func (w workload) compare(seconds float64, rounds int) (factor float64, err error) {
	var ours, theirs []float64
	for range rounds {
		one, err := w.ours(seconds)
		if err != nil {
			return 0, err
		}
		other, err := w.theirs(seconds)
		if err != nil {
			return 0, err
		}
		ours, theirs = append(ours, one*float64(w.transitions)), append(theirs, other*float64(w.transitions))
	}
	slices.Sort(ours)
	slices.Sort(theirs)
	a, b := ours[rounds/2], theirs[rounds/2]
	fmt.Printf("%-14s portolan %9.0f transitions/s, aws-local-stepfunctions %9.0f transitions/s: %.1f times\n",
		w.file, a, b, a/b)
	return a / b, nil
}

// ours is how many executions a second the embedded Step Functions brings to an end.
func (w workload) ours(seconds float64) (float64, error) {
	definition, err := machines.ReadFile(w.file)
	if err != nil {
		return 0, err
	}
	id := 0
	server, err := states.New(states.Config{
		Clock: clock.New(1), Region: "us-east-1", Account: "000000000000", Retain: 10, Rand: rand.New(rand.NewPCG(1, 2)),
		NewID: func() string { id++; return "id-" + strconv.Itoa(id) }, Tasks: none{},
	})
	if err != nil {
		return 0, err
	}
	defer server.Close()
	machine, err := server.CreateStateMachine(states.MachineInput{
		Name: "measured", Definition: string(definition), RoleArn: "arn:aws:iam::000000000000:role/measured",
	})
	if err != nil {
		return 0, err
	}
	began, executions := time.Now(), 0
	for time.Since(began).Seconds() < seconds {
		x, err := server.Start(machine, "", w.input)
		if err != nil {
			return 0, err
		}
		end, err := server.Wait(context.Background(), x.ExecutionArn)
		if err != nil || end.Status != "SUCCEEDED" {
			return 0, fmt.Errorf("%s ended %v: %w", w.file, end, err)
		}
		executions++
	}
	return float64(executions) / time.Since(began).Seconds(), nil
}

// theirs is the same of the peer.
func (w workload) theirs(seconds float64) (float64, error) {
	command := exec.Command("node", "states.mjs", filepath.Join("..", "states", w.file), w.input,
		strconv.FormatFloat(seconds, 'f', -1, 64))
	command.Dir, command.Stderr = filepath.Join("bench", "peers"), os.Stderr
	out, err := command.Output()
	if err != nil {
		return 0, fmt.Errorf("running aws-local-stepfunctions; bench/README.md tells how to install it: %w", err)
	}
	return strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
}

// none has no effects: the machines have no tasks.
type none struct{}

func (none) InvokeFunction(context.Context, string, []byte) ([]byte, error) {
	return nil, errors.ErrUnsupported
}

func (none) Call(context.Context, string, string, json.RawMessage, string) (json.RawMessage, error) {
	return nil, errors.ErrUnsupported
}
