package ecsspec

import (
	"fmt"
	"slices"

	"portolan/shared/contract"
)

// size is the memory that Fargate offers for a number of CPU units: certain
// steps, or from least to most in steps.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html
type size struct {
	cpu               int
	least, most, step int
}

var sizes = []size{
	{256, 512, 2048, 0},
	{512, 1024, 4096, 1024},
	{1024, 2048, 8192, 1024},
	{2048, 4096, 16384, 1024},
	{4096, 8192, 30720, 1024},
	{8192, 16384, 61440, 4096},
	{16384, 32768, 122880, 8192},
}

// The smallest size offers powers of two only.
var smallest = []int{512, 1024, 2048}

func (s size) takes(memoryMiB int) bool {
	if s.step == 0 {
		return slices.Contains(smallest, memoryMiB)
	}
	return memoryMiB >= s.least && memoryMiB <= s.most && memoryMiB%s.step == 0
}

func (s size) offer() string {
	if s.step == 0 {
		return "512, 1024 or 2048 MiB"
	}
	return fmt.Sprintf("%d to %d MiB in steps of %d", s.least, s.most, s.step)
}

func (c *checker) onFargate() {
	if mode := c.spec.Ecs.NetworkMode; mode != "" && mode != contract.Awsvpc {
		c.refuse("/ecs/networkMode", "Fargate knows awsvpc only, not %s", mode)
	}
	limit := c.spec.Memory.LimitMiB
	if limit == 0 {
		c.refuse("/memory/limitMiB", "Fargate needs it")
	}
	if c.spec.Cpu == 0 {
		c.refuse("/cpu", "Fargate needs it")
		return
	}
	at := slices.IndexFunc(sizes, func(s size) bool { return s.cpu == c.spec.Cpu })
	if at < 0 {
		c.refuse("/cpu", "Fargate offers 256, 512, 1024, 2048, 4096, 8192 or 16384, not %d",
			c.spec.Cpu)
		return
	}
	if limit != 0 && !sizes[at].takes(limit) {
		c.refuse("/memory/limitMiB", "with %d CPU units Fargate offers %s, not %d",
			c.spec.Cpu, sizes[at].offer(), limit)
	}
}
