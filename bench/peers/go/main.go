// SPDX-License-Identifier: MIT
// Peer of nido-bench: Go, on one processor. bench/harness/peers.h says how it is asked and what it answers.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"math"
	"math/rand"
	"net"
	"net/http"
	"os"
	"runtime"
	"sort"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

type ask struct {
	rounds, count int
	warmUp        int // rounds before the measured ones
}

type peerCase struct {
	name string
	run  func(ask)
}

var cases = []peerCase{
	{"switch", ring},
	{"yield_1000", ring},
	{"yield_100000", ring},
	{"spawn_join", spawnAndJoin},
	{"spawn_10000", spawnAndJoin},
	{"chan_pingpong", pingPong},
	{"chan_stream", stream},
	{"mutex_handoff", mutexHandoff},
	{"with_timeout_ready", withTimeout},
	{"wake_idle", wake},
	{"wake_busy", wake},
	{"startup", hello},
	{"timers", timers},
	{"cancel_1000", cancel},
	{"cancel_100000", cancel},
	{"memory_10000", memory},
	{"memory_100000", memory},
	{"memory_1000000", memory},
	{"echo_1", echo},
	{"echo_100", echo},
	{"echo_1000", echo},
	{"echo_5000", echo},
	{"stream_lines", streamLines},
	{"churn", churn},
	{"http_hello", httpHello},
}

func say(answer any) {
	if err := json.NewEncoder(os.Stdout).Encode(answer); err != nil {
		log.Fatal(err)
	}
}

func sayResult(elapsed time.Duration, values ...float64) {
	say(map[string]any{"ns": elapsed.Nanoseconds(), "values": values})
}

func sayPerOperation(elapsed time.Duration, operations int) {
	sayResult(elapsed, float64(elapsed.Nanoseconds())/float64(operations))
}

func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		log.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func goMany(group *sync.WaitGroup, count int, run func()) {
	group.Add(count)
	for i := 0; i < count; i++ {
		go func() {
			defer group.Done()
			run()
		}()
	}
}

func giveWay(times int) {
	for i := 0; i < times; i++ {
		runtime.Gosched()
	}
}

// One turn of this one is a turn of everybody.
func ring(a ask) {
	var others sync.WaitGroup
	goMany(&others, a.count-1, func() { giveWay(a.warmUp + a.rounds) })
	giveWay(a.warmUp)
	start := time.Now()
	giveWay(a.rounds)
	sayPerOperation(time.Since(start), a.rounds*a.count)
	others.Wait()
}

func spawnAndJoin(a ask) {
	var start time.Time
	for i := -1; i < a.rounds; i++ {
		if i == 0 {
			start = time.Now()
		}
		var group sync.WaitGroup
		goMany(&group, a.count, func() {})
		group.Wait()
	}
	sayPerOperation(time.Since(start), a.rounds*a.count)
}

func pingPong(a ask) {
	there, back := make(chan int), make(chan int)
	go func() {
		for item := range there {
			back <- item
		}
	}()
	talk := func(times int) {
		for i := 0; i < times; i++ {
			there <- i
			<-back
		}
	}
	talk(a.warmUp)
	start := time.Now()
	talk(a.rounds)
	sayPerOperation(time.Since(start), a.rounds*2)
	close(there)
}

func stream(a ask) {
	items := make(chan int, 128)
	go func() {
		for i := 0; i < a.warmUp+a.rounds; i++ {
			items <- i
		}
	}()
	receive := func(times int) {
		for i := 0; i < times; i++ {
			<-items
		}
	}
	receive(a.warmUp)
	start := time.Now()
	receive(a.rounds)
	sayPerOperation(time.Since(start), a.rounds)
}

func mutexHandoff(a ask) {
	var mutex sync.Mutex
	var other sync.WaitGroup
	contend := func(times int) {
		for i := 0; i < times; i++ {
			mutex.Lock()
			runtime.Gosched()
			mutex.Unlock()
		}
	}
	goMany(&other, 1, func() { contend(a.warmUp + a.rounds) })
	contend(a.warmUp)
	start := time.Now()
	contend(a.rounds)
	sayPerOperation(time.Since(start), a.rounds*a.count)
	other.Wait()
}

// The context is what a function is handed here to be bounded in time.
func receiveOrGiveUp(ctx context.Context, ready <-chan struct{}) {
	select {
	case <-ready:
	case <-ctx.Done():
		log.Fatal(ctx.Err())
	}
}

func withTimeout(a ask) {
	ready := make(chan struct{})
	close(ready)
	start := time.Now()
	for i := 0; i < a.rounds; i++ {
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		receiveOrGiveUp(ctx, ready)
		cancel()
	}
	sayPerOperation(time.Since(start), a.rounds)
}

func hello(ask) {
	var group sync.WaitGroup
	goMany(&group, 1, func() { fmt.Println("hello") })
	group.Wait()
}

func timers(a ask) {
	var group sync.WaitGroup
	goMany(&group, a.count, func() {
		time.Sleep(time.Duration(1+rand.Intn(1000)) * time.Millisecond)
	})
	cpu, start := cpuTime(), time.Now()
	group.Wait()
	wall := time.Since(start)
	sayResult(wall, (cpuTime()-cpu).Seconds()*1000, wall.Seconds()*1000)
}

// CLOCK_MONOTONIC, as the stamps of the waker are; package time does not give it away.
func monotonic() int64 {
	const clockMonotonic = 1
	var now syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockMonotonic, uintptr(unsafe.Pointer(&now)), 0)
	return now.Nano()
}

// How late it was at work after each stamp, in us.
func noteWakes(us []float64, stamps []byte) []float64 {
	now := monotonic()
	for ; len(stamps) >= 8; stamps = stamps[8:] {
		sent := int64(binary.LittleEndian.Uint64(stamps))
		us = append(us, float64(now-sent)/1000)
	}
	return us
}

// The first fifth is the warm-up.
func sayWakes(us []float64) {
	us = us[len(us)/5:]
	sort.Float64s(us)
	at := func(share float64) float64 { return us[int(share*float64(len(us)-1))] }
	sayResult(0, at(0.5), at(0.99), at(0.999))
}

func wake(a ask) {
	var over atomic.Bool
	var others sync.WaitGroup
	var us []float64
	stamps := make([]byte, 512)
	goMany(&others, a.count, func() {
		for !over.Load() {
			for start := time.Now(); time.Since(start) < time.Microsecond; {
			}
			runtime.Gosched()
		}
	})
	os.Stdin.Write([]byte{0})
	for {
		n, err := os.Stdin.Read(stamps)
		if err != nil {
			break
		}
		us = noteWakes(us, stamps[:n])
	}
	over.Store(true)
	others.Wait()
	sayWakes(us)
}

// Starts goroutines that wait until the channel is closed, and lets all of them get there.
func park(group *sync.WaitGroup, count int, never <-chan struct{}) {
	var started sync.WaitGroup
	started.Add(count)
	goMany(group, count, func() {
		started.Done()
		<-never
	})
	started.Wait()
	runtime.Gosched()
}

func cancelParked(count int) time.Duration {
	var group sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	park(&group, count, ctx.Done())
	start := time.Now()
	cancel()
	group.Wait()
	return time.Since(start)
}

func cancel(a ask) {
	var elapsed time.Duration
	cancelParked(a.count)
	for i := 0; i < a.rounds; i++ {
		elapsed += cancelParked(a.count)
	}
	sayPerOperation(elapsed, a.rounds*a.count)
}

func memory(a ask) {
	var group sync.WaitGroup
	park(&group, a.count, make(chan struct{}))
	say(map[string]int{"parked": a.count})
	time.Sleep(time.Hour)
}

func serve(connection net.Conn) {
	buffer := make([]byte, 512)
	defer connection.Close()
	for {
		n, err := connection.Read(buffer)
		if err != nil {
			return
		}
		if _, err := connection.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// Connections have TCP_NODELAY unless told otherwise.
func echo(a ask) {
	var group sync.WaitGroup
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	say(map[string]int{"port": listener.Addr().(*net.TCPAddr).Port})
	for i := 0; i < a.count; i++ {
		connection, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		goMany(&group, 1, func() { serve(connection) })
	}
	group.Wait()
}

const (
	textLines  = 50000
	textBuffer = 16 * 1024
)

// The lines of bench/harness/text.c.
func writeLines(file *os.File) (length int) {
	var text bytes.Buffer
	for i := 0; i < textLines; i++ {
		n := int(uint32(i)*2654435761>>7) % 80
		text.Write(bytes.Repeat([]byte{byte('a' + i%26)}, n))
		text.WriteByte('\n')
		length += n
	}
	if _, err := file.Write(text.Bytes()); err != nil {
		log.Fatal(err)
	}
	return length
}

func readLines(reader *bufio.Reader) (length int) {
	for {
		line, err := reader.ReadSlice('\n')
		if err == io.EOF {
			return length
		}
		if err != nil {
			log.Fatal(err)
		}
		length += len(line) - 1
	}
}

func streamLines(a ask) {
	file, err := os.CreateTemp("", "lines")
	if err != nil {
		log.Fatal(err)
	}
	os.Remove(file.Name())
	length := writeLines(file)
	start := cpuTime()
	for i := 0; i < a.rounds; i++ {
		file.Seek(0, io.SeekStart)
		if readLines(bufio.NewReaderSize(file, textBuffer)) != length {
			log.Fatal("lines are missing")
		}
	}
	sayPerOperation(cpuTime()-start, a.rounds*textLines)
}

// Until it is killed.
func churn(ask) {
	echo(ask{count: math.MaxInt})
}

func httpHello(ask) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	say(map[string]int{"port": listener.Addr().(*net.TCPAddr).Port})
	hello := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		io.WriteString(w, "Hello, world!\n")
	}
	log.Fatal(http.Serve(listener, http.HandlerFunc(hello)))
}

func sayAbout() {
	names := []string{}
	for _, c := range cases {
		names = append(names, c.name)
	}
	say(map[string]any{"version": runtime.Version()[len("go"):], "cases": names})
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		log.Fatal(err)
	}
	return n
}

func main() {
	runtime.GOMAXPROCS(1)
	if len(os.Args) == 2 && os.Args[1] == "--about" {
		sayAbout()
		return
	}
	for _, c := range cases {
		if len(os.Args) == 4 && c.name == os.Args[1] {
			rounds := number(os.Args[2])
			c.run(ask{rounds, number(os.Args[3]), rounds/8 + 1})
			return
		}
	}
	fmt.Fprintln(os.Stderr, "usage: peer-go --about | CASE ROUNDS COUNT")
	os.Exit(2)
}
