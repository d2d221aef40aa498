package autoscaling

import "strings"

// size is what an instance type has for tasks: CPU units, and MiB less what the
// system keeps.
type size struct{ cpu, memory int }

// families are the GiB of memory for each vCPU of the common families.
var families = map[string]int{"t2": 2, "t3": 2, "t3a": 2, "t4g": 2, "c5": 2, "c6g": 2, "c6i": 2, "c7g": 2, "c7i": 2,
	"m5": 4, "m6g": 4, "m6i": 4, "m7g": 4, "m7i": 4, "r5": 8, "r6g": 8, "r6i": 8, "r7g": 8, "r7i": 8}

// burstable have sizes that do not follow the rule.
var burstable = map[string]size{"nano": {2048, 512}, "micro": {2048, 1024}, "small": {2048, 2048}, "medium": {2048, 4096},
	"large": {2048, 8192}, "xlarge": {4096, 16384}, "2xlarge": {8192, 32768}}

var virtualCPUs = map[string]int{"medium": 1, "large": 2, "xlarge": 4, "2xlarge": 8, "3xlarge": 12, "4xlarge": 16,
	"8xlarge": 32, "9xlarge": 36, "12xlarge": 48, "16xlarge": 64, "24xlarge": 96}

// SizeOf is what an instance type has: CPU units, of which a vCPU has 1,024, and MiB of
// memory that are left to containers.
func SizeOf(instanceType string) (cpu, memoryMiB int) {
	s := sizeOf(instanceType)
	return s.cpu, s.memory
}

// sizeOf is the size of an instance type; of an unknown one, that of m5.large.
func sizeOf(instanceType string) size {
	family, name, _ := strings.Cut(instanceType, ".")
	found, ok := burstable[name]
	if !strings.HasPrefix(family, "t") || !ok {
		cpus, known := virtualCPUs[name]
		perCPU, alsoKnown := families[family]
		if !known || !alsoKnown {
			cpus, perCPU = 2, 4
		}
		found = size{cpus * 1024, cpus * perCPU * 1024}
	}
	// An ECS-optimised image leaves about 95 % of the memory to tasks.
	found.memory = found.memory * 95 / 100
	return found
}
