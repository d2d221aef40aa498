package storetest

import (
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"portolan/shared/store"
)

// TestTheStoreOverMoto runs the contract over a DynamoDB that others wrote. It is
// a second opinion, asked where moto's server is found in the PATH. Of transactions
// at the same time moto 5.2 lets more than one pass a condition, and it answers a
// page that starts in another partition.
func TestTheStoreOverMoto(t *testing.T) {
	program, err := exec.LookPath("moto_server")
	if err != nil {
		t.Skip("moto_server is not installed")
	}
	client := moto(t, program)
	tables := 0
	Alone(t, func(t testing.TB) *store.Store {
		tables++
		name := fmt.Sprintf("portolan%d", tables)
		if err := create(client, name); err != nil {
			t.Fatal(err)
		}
		return store.New(client, name)
	})
}

// moto starts moto's server on a free port, and ends it with the test.
func moto(t *testing.T, program string) *dynamodb.Client {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().(*net.TCPAddr)
	listener.Close()
	server := exec.CommandContext(t.Context(), program, "-H", "127.0.0.1", "-p", fmt.Sprint(address.Port))
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill() // it may have ended with the test's context
		_ = server.Wait()
	})
	endpoint := "http://" + address.String()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if answer, err := http.Get(endpoint + "/moto-api/"); err == nil {
			answer.Body.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("moto's server does not answer")
		}
	}
	return dynamodb.New(dynamodb.Options{
		Region: "eu-central-1", BaseEndpoint: aws.String(endpoint),
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	})
}
