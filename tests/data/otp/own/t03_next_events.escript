#!/usr/bin/env escript
%%! -kernel logger_level notice
-module(t03_next_events).
-mode(compile).
-compile([export_all, nowarn_export_all, nowarn_unused_function, nowarn_shadow_vars]).

%% T03  T1: inserted events before all that is queued, in their order; a time-out
%% of zero behind them and before what is not yet received; an event time-out of
%% zero only if nothing is queued.
run() ->
    process_flag(trap_exit, true),
    P = start(a, #{}, []),
    ev(obs, '---', inserted),
    together(P, [{insert, {keep_state_and_data, [{next_event, internal, {one, {keep_state_and_data, [{next_event, info, nested}]}}}, {next_event, {timeout, own}, two}]}}, queued]),
    ev(obs, '---', zero_before_the_mailbox),
    together(P, [{zero, {keep_state_and_data, [{state_timeout, 0, state}, {{timeout, name}, 0, generic}]}}, queued]),
    ev(obs, '---', zero_after_inserted),
    together(P, [{zero, {keep_state_and_data, [{state_timeout, 0, state}, {next_event, internal, inserted}]}}, queued]),
    ev(obs, '---', event_time_out_of_zero),
    together(P, [{zero, {keep_state_and_data, [{timeout, 0, event}]}}, queued]),
    together(P, [{zero, {keep_state_and_data, [{timeout, 0, never}, {next_event, internal, inserted}]}}, queued]),
    together(P, [{zero, {keep_state_and_data, [{timeout, 0, event}, {state_timeout, 0, state}]}}, queued]),
    together(P, [{zero, {keep_state_and_data, [{state_timeout, 0, state}, {timeout, 0, never}]}}, queued]),
    ev(obs, '---', zero_is_cancelled_too),
    together(P, [{zero, {keep_state_and_data, [{state_timeout, 0, never}, {next_event, internal, {change, {next_state, b, #{}}}}]}}, queued]),
    together(P, [{zero, {keep_state_and_data, [{{timeout, name}, 0, never}, {next_event, internal, {cancel, {keep_state_and_data, [{{timeout, name}, cancel}]}}}]}}, queued]),
    ev(obs, '---', from_init), gen_statem:stop(P),
    Q = start(a, #{}, [{next_event, internal, first}, {state_timeout, 0, zero}]), gen_statem:stop(Q).

%% A machine that does what the event says: {Tag, Return}; '$from' in Return is
%% the caller.  Its data are what enter calls return, by state.
callback_mode() -> [handle_event_function, state_enter].
init({State, Data, Actions}) -> {ok, State, Data, Actions}.
handle_event(enter, Old, State, Data) ->
    State =:= slow andalso timer:sleep(20), ev(sm, enter, {Old, State}), answer(maps:get(State, Data, keep_state_and_data), none);
handle_event(Type, {Tag, Return}, State, _) -> ev(sm, type(Type), {Tag, State}), answer(Return, Type);
handle_event(Type, Tag, State, _) -> ev(sm, type(Type), {Tag, State}), keep_state_and_data.
terminate(Reason, State, Data) -> ev(sm, terminate, {Reason, State, Data}).
type({call, _}) -> call;
type({timeout, Name}) -> Name;
type(Type) -> Type.
answer('$from', {call, From}) -> From;
answer({raise, Term}, _) -> error(Term);
answer(T, Type) when is_tuple(T) -> list_to_tuple([answer(X, Type) || X <- tuple_to_list(T)]);
answer([H | T], Type) -> [answer(H, Type) | answer(T, Type)];
answer(T, _) -> T.

start(State, Data, Actions) ->
    {ok, P} = gen_statem:start_link(?MODULE, {State, Data, Actions}, []), name(P, sm), sys:get_state(P), P.
call(P, Tag, Return) ->
    try gen_statem:call(P, {Tag, Return}) catch exit:{Reason, _} -> {exit, Reason} end.
%% All of these lie in the mailbox before the machine looks at the first.
together(P, Events) ->
    sys:suspend(P), [gen_statem:cast(P, E) || E <- Events], sys:resume(P), sys:get_state(P).


%% ---------------------------------------------------------------------------
%% Harness (identical in every scenario file).
%% A trace line is  "<who> <event> <term>".  Pids print as the symbolic name
%% they were introduced under, references as '$ref', stack traces as '$stack'.
%% Reports are left out.
%% ---------------------------------------------------------------------------
main(_) ->
    Me = self(),
    ets:new(names, [named_table, public]),
    ets:new(incarnation, [named_table, public]),
    ets:new(plan, [named_table, public]),
    register(trace_log, spawn(fun() -> log_loop([], []) end)),
    logger:remove_handler(default),
    name(Me, main),
    process_flag(trap_exit, true),
    {P, R} = spawn_monitor(fun() -> name(self(), obs), run() end),
    receive
        {'DOWN', R, process, P, normal} -> ok;
        {'DOWN', R, process, P, Why} -> ev(main, scenario_crashed, Why)
    end,
    timer:sleep(300),                      % let the last reports come in
    trace_log ! {dump, Me},
    receive {lines, Ls, Rs} ->
        [io:put_chars([L, $\n]) || L <- Ls],
        [io:put_chars(["~ ", L, $\n]) || L <- lists:sort(Rs)]
    end,
    halt(0).

%% Ordered events, and reports whose order is not part of the contract.
log_loop(Acc, Rep) ->
    receive
        {ev, From, Ref, Line} -> From ! {Ref, ok}, log_loop([Line | Acc], Rep);
        {report, Line} -> log_loop(Acc, [Line | Rep]);
        {dump, From} -> From ! {lines, lists:reverse(Acc), Rep}
    end.

%% Synchronous: the event is on record before the caller goes on.
ev(Who, Event, Term) ->
    Ref = make_ref(),
    trace_log ! {ev, self(), Ref, line(Who, Event, Term)},
    receive {Ref, ok} -> ok end.

line(Who, Event, Term) ->
    unicode:characters_to_list(io_lib:format("~ts ~ts ~0tp", [str(Who), str(Event), clean(Term)])).
report(Event, Term) -> trace_log ! {report, line(log, Event, Term)}, ok.

str(X) when is_atom(X) -> atom_to_list(X);
str(X) when is_pid(X) -> str(clean(X));
str(X) -> io_lib:format("~0tp", [X]).

name(Pid, N) -> ets:insert(names, {Pid, N}), N.

%% The label for the next incarnation of Id: c1#1, c1#2, ...
next(Id) ->
    N = ets:update_counter(incarnation, Id, 1, {Id, 0}),
    L = list_to_atom(atom_to_list(Id) ++ "#" ++ integer_to_list(N)),
    name(self(), L), {L, N}.

clean(P) when is_pid(P) ->
    case ets:lookup(names, P) of [{_, N}] -> N; [] -> '$pid' end;
clean(R) when is_reference(R) -> '$ref';
clean(F) when is_function(F) -> '$fun';
clean([{M, F, A, L} | _]) when is_atom(M), is_atom(F), is_list(L),
                               (is_integer(A) orelse is_list(A)) -> '$stack';
clean([H | T]) -> [clean(H) | clean(T)];
clean(T) when is_tuple(T) -> list_to_tuple([clean(X) || X <- tuple_to_list(T)]);
clean(M) when is_map(M) -> maps:map(fun(_, V) -> clean(V) end, M);
clean(X) -> X.

drain() -> receive M -> [clean(M) | drain()] after 50 -> [] end.
wait(F) -> wait(F, 400).
wait(_, 0) -> timeout;
wait(F, N) -> case F() of true -> ok; _ -> timer:sleep(5), wait(F, N - 1) end.
