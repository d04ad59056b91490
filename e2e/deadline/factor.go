// SPDX-License-Identifier: Apache-2.0

package deadline

import (
	"math"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// sample is the CPU time of the work that is measured.
	sample = 200 * time.Millisecond
	// least and most bound the factor. A wait of more than four times the deadline is not caused by a slow machine.
	least, most = 1, 4
)

// adopted holds the bits of the factor that Adopt was given, or 0.
var adopted atomic.Uint64

var measured = sync.OnceValue(func() float64 {
	start, used := time.Now(), cpuTime()
	for value := uint64(1); cpuTime()-used < sample; {
		for range 1 << 16 {
			value = value*6364136223846793005 + 1442695040888963407
		}
		sink.Store(value)
	}
	return ratio(time.Since(start), cpuTime()-used)
})

var begin = time.Now()

// sink keeps the compiler from removing the work.
var sink atomic.Uint64

// Factor returns how many times longer work takes than on an idle machine. It is measured at the first call, unless it was
// adopted: the time that some work takes by the clock, against the time that it was on a CPU.
func Factor() float64 {
	if bits := adopted.Load(); bits != 0 {
		return math.Float64frombits(bits)
	}
	return measured()
}

// Adopt makes this process use the factor of another process. Processes that run specs of one suite side by side would else
// measure at the same time, and so each other.
func Adopt(factor float64) {
	adopted.Store(math.Float64bits(bounded(factor)))
}

func ratio(wall, cpu time.Duration) float64 {
	if cpu <= 0 {
		return least
	}
	return bounded(float64(wall) / float64(cpu))
}

func bounded(factor float64) float64 {
	return min(max(factor, least), most)
}

// cpuTime returns what this process has used of all CPUs. Goroutines that work while the factor is measured make it smaller, never
// larger.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return time.Since(begin) // the clock: the factor is then the least
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
