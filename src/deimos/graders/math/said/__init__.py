"""What an answer in words says: which expression it calls the answer, takes back, bounds or merely mentions."""
